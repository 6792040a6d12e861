"""SaveKernel: a push makes a kernel or a version of one, and queues its run.

What is wrong with a push is told as Kaggle does, as `{"error": …}` in an answer with status 200.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from kagglesdk.kernels.types import kernels_api_service as messages
from kagglesdk.kernels.types.kernels_enums import KernelExecutionType
from slugify import slugify

from kaggle_runner.kaggle.wire import message
from mle_live.api.kernels import KERNELS
from mle_live.kernels.process import read_notebook
from mle_live.service import Api, Call
from mle_live.stores.kernels import KernelSettings, PushedKernel
from mle_live.wire import Rpc

_TITLE = range(5, 51)
_MOST_SOURCES = 50
_WITHOUT = (
    "Push without enable_gpu, enable_tpu and machine_shape, or have the server take such kernels: "
    "mle-live serve --gpu-kernels cpu runs them on the CPU."
)
_NO_GPU = f"This server has no GPU for kernels. {_WITHOUT}"
_NO_TPU = f"This server has no TPU. {_WITHOUT}"


class PushRefused(Exception):
    """What the push did wrong, as a sentence for its author."""


class KernelPushApi(Api):
    @Rpc(f"{KERNELS}/SaveKernel", messages.ApiSaveKernelRequest)
    def save(self, call: Call, request: Any) -> Any:
        told: dict[str, Any] = {}
        try:
            self._save(call, request, told)
        except PushRefused as refusal:
            told["error"] = str(refusal)
        return message(messages.ApiSaveKernelResponse, **told)

    def _save(self, call: Call, request: Any, told: dict[str, Any]) -> None:
        runs = self._service.kernels
        kernel = self._kernel(call, request)
        settings = self._known_sources(call, self._settings(request), told)
        told["invalid_model_sources"] = request.model_data_sources
        waiting = runs.store.count_unfinished(call.user)
        if waiting >= runs.limits.waiting_a_user:
            raise PushRefused(f"Maximum batch CPU session count of {runs.limits.waiting_a_user} reached.")
        run = request.kernel_execution_type != KernelExecutionType.QUICK_SAVE
        text = _text(request)
        saved = runs.save(kernel, settings, text, created_at=call.now, run=run)
        if saved is None:  # perhaps made by the same user at this very moment
            saved = runs.save(self._kernel(call, request), settings, text, created_at=call.now, run=run)
        if saved is None:
            raise PushRefused(
                f'The requested title "{kernel.title}" is already in use by a notebook. '
                "Please choose another title."
            )
        kernel, version = saved
        address = f"/code/{kernel.ref}"
        told |= {"ref": address, "url": f"https://www.kaggle.com{address}"}
        told |= {"kernel_id": kernel.id, "version_number": version.number}

    def _kernel(self, call: Call, request: Any) -> PushedKernel:
        """The kernel as it shall be: the caller's own one of that id or slug, or a new one (id 0).

        As on Kaggle a slug is made from the title: a new title renames, and decides a new kernel's name.
        """
        store = self._service.kernels.store
        owner, _, slug = (request.slug or "").rpartition("/")
        if owner and owner.lower() != call.user.username.lower():
            raise PushRefused(f"Permission 'kernels.update' was denied: {owner!r} is not your user name")
        if request.id:
            found = store.kernel(request.id)
            if found is None or found.owner_id != call.user.id:
                raise PushRefused(f"Kernel not found: you have none with the id {request.id}")
        else:
            found = store.find(call.user.username, slug)
        title = (request.new_title or "").strip()
        if found is not None:
            title = title or found.title
            new_slug = found.slug if title == found.title else _slug_of(title)
            return dataclasses.replace(
                found, slug=new_slug, title=title, is_private=request.is_private is not False
            )
        if not title:
            raise PushRefused("Kernel not found. A new kernel needs a title.")
        return PushedKernel(
            0, call.user.id, call.user.username, _slug_of(title), title, request.is_private is not False
        )

    def _settings(self, request: Any) -> KernelSettings:
        language, kernel_type = (request.language or "").lower(), (request.kernel_type or "").lower()
        if kernel_type not in ("script", "notebook"):
            raise PushRefused(f"Invalid kernel type {kernel_type!r}: it is script or notebook")
        if language != "python":
            raise PushRefused(f"Invalid language {language!r}: this server runs Python only")
        text = _text(request)
        if not text.strip():
            raise PushRefused("The kernel has no source code")
        if kernel_type == "notebook":
            try:
                read_notebook(text)
            except (ValueError, RecursionError) as error:
                raise PushRefused(f"The source is not a notebook that runs here: {error}") from error
        return KernelSettings(
            language=language,
            kernel_type="notebook" if kernel_type == "notebook" else "script",
            seconds=self._seconds(request.session_timeout_seconds),
            **self._accelerator(request),
            internet=bool(request.enable_internet),
            machine_shape=request.machine_shape or "",
            tags=tuple(request.category_ids),
            datasets=tuple(request.dataset_data_sources),
            competitions=tuple(request.competition_data_sources),
            kernels=tuple(request.kernel_data_sources),
        )

    def _accelerator(self, request: Any) -> dict[str, Any]:
        """The settings `gpu` and `on_cpu` of the kernel; nothing slower than was asked for unless told to."""
        shape = request.machine_shape or ""
        tpu = bool(request.enable_tpu) or shape.lower().startswith("tpu")
        gpu = not tpu and (bool(request.enable_gpu) or shape.lower().startswith("nvidia"))
        policy = self._service.kernels.limits.with_gpu
        if tpu or gpu:
            if policy == "cpu":
                kind = "a TPU" if tpu else "a GPU"
                return {"gpu": gpu, "on_cpu": f"{kind} ({shape})" if shape else kind}
            if tpu or policy == "refuse":
                raise PushRefused(_NO_TPU if tpu else _NO_GPU)
        return {"gpu": gpu}

    def _seconds(self, asked: int | None) -> int:
        most = self._service.kernels.limits.seconds
        if asked is not None and asked < 0:
            raise PushRefused(f"Invalid session timeout {asked}: give seconds, at most {most}")
        return min(asked or most, most)

    def _known_sources(self, call: Call, settings: KernelSettings, told: dict[str, Any]) -> KernelSettings:
        """The settings without sources that the caller may not read or that are not here; they are told."""
        lists = (settings.datasets, settings.competitions, settings.kernels)
        if sum(map(len, lists)) > _MOST_SOURCES:
            raise PushRefused(f"More than {_MOST_SOURCES} data sources")
        sources = self._service.kernels.inputs.find(call.user, settings)
        told["invalid_dataset_sources"] = sources.missing_datasets
        told["invalid_competition_sources"] = sources.missing_competitions
        told["invalid_kernel_sources"] = sources.missing_kernels
        return dataclasses.replace(
            settings,
            datasets=tuple(ref for ref in settings.datasets if ref not in sources.missing_datasets),
            competitions=tuple(c for c in settings.competitions if c not in sources.missing_competitions),
            kernels=tuple(ref for ref in settings.kernels if ref not in sources.missing_kernels),
        )


def _slug_of(title: str) -> str:
    if len(title) not in _TITLE or not title.isprintable():
        raise PushRefused(f"The title must have {_TITLE.start} to {_TITLE.stop - 1} characters")
    slug = slugify(title)
    if len(slug) < _TITLE.start:
        raise PushRefused(f"The title {title!r} makes no name: it needs more letters or digits")
    return slug


def _text(request: Any) -> str:
    return request.text if isinstance(request.text, str) else ""
