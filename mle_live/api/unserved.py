"""What MLE-Live does not serve, in sentences that clients show: models, and the REST of old clients."""

from __future__ import annotations

from mle_live.wire import RpcError

_MODELS = "MLE-Live does not offer models; upload the weights as a dataset (kagglehub.dataset_upload) and attach that"
_OLD_CLIENT = (
    "MLE-Live does not speak the REST protocol of kaggle 1.7 and older; install a newer client: "
    "pip install 'kaggle>=2.2.4' six"
)


def not_offered(name: str) -> RpcError:
    """The refusal of a call `service/method`. 501, since clients put words of their own for 403 and 404."""
    if name.startswith("models."):
        return RpcError(501, _MODELS)
    if "." not in name.split("/")[0]:
        return RpcError(501, _OLD_CLIENT)
    return RpcError(501, f"MLE-Live does not offer {name}")
