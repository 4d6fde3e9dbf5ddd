"""From the outputs of a package's members to what a user is told: blend, calibration, threshold, the target's values.

What is fitted here is fitted on validation or out-of-fold outputs, before the refit, and carried in the package.
"""

from distml.postprocess.base import Postprocess, Prediction
from distml.postprocess.blend import blend_weights, blended
from distml.postprocess.calibration import fit_calibration
from distml.postprocess.threshold import fit_threshold

__all__ = ["Postprocess", "Prediction", "blend_weights", "blended", "fit_calibration", "fit_threshold"]
