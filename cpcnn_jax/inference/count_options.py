"""Options of counting a file."""

import dataclasses

from cpcnn_jax.inference.regions import Region


@dataclasses.dataclass
class CountOptions:
    """Results of each file beside its count; None omits a result."""

    regions: list[Region] = dataclasses.field(default_factory=list)
    max_size: int | None = None  # pixels; images with a longer side are reduced first
    density: str | None = None  # folder of density maps
    overlay: str | None = None  # folder of overlays and annotated videos
    count_curve: str | None = None  # folder of the videos' counts over time
    points: bool = False  # heads of images; overlays show them
    frame_step: int | None = None  # frames of a video from one counted to the next
