"""What MLE-Live does not serve, in sentences that clients show: models, and the REST of old clients."""

from __future__ import annotations

from mle_live.wire import RpcError

_MODELS = (
    "MLE-Live does not offer models; upload the weights as a dataset (kagglehub.dataset_upload), "
    "and attach that to the notebook"
)
_OLD_CLIENT = (
    "MLE-Live does not speak the REST protocol of kaggle 1.7 and older; install a newer client: "
    "pip install 'kaggle>=2.2.4' six"
)
_OLD_PARTS = frozenset({"competitions", "datasets", "kernels", "models", "blobs", "hello"})


def not_offered(name: str) -> RpcError:
    """The refusal of a call `service/method`. 501, since clients put words of their own for 403 and 404."""
    if name.startswith("models."):
        return RpcError(501, _MODELS)
    if name.split("/")[0] in _OLD_PARTS:
        return RpcError(501, _OLD_CLIENT)
    return RpcError(501, f"MLE-Live does not offer {name}")


def is_of_old_client(path: str) -> bool:
    """Whether a path below /api/v1 is one of `kaggle` 1.7 and older."""
    return path.split("/")[0] in _OLD_PARTS
