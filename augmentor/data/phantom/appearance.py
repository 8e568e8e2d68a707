"""What a phantom heart looks like: anatomy at end-diastole, the scanner's sector and its image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .motion import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance(Parameters):
    """Appearance of one heart in one apical four-chamber view; lengths in pixels of a 112x112 frame, levels in dB.

    Attributes:
        origin_x: x of the sector's tip.
        origin_y: y of the sector's tip.
        half_angle: half the sector's opening, radians.
        depth: depth of the sector from its tip.
        near_cut: depth where the image starts (the probe's face).
        mm_per_px: scale, for volumes in mL.
        apex_x: x of the LV apex, relative to the sector's tip.
        apex_y: y of the LV apex, relative to the sector's tip.
        tilt: lean of the long axis, radians; positive leans the base to the right.
        lv_length: apex to mitral plane at ED, before foreshortening.
        foreshortening: share of the length that the plane of view cuts off; it also rounds the apex.
        lv_width: largest half-width at ED.
        lv_widest: place of the largest width along the axis, 0 apex to 1 base.
        lv_base: half-width at the mitral plane, relative to the largest.
        lv_roundness: exponent of the apical half, 2 is an ellipse.
        lv_bend: bow of the long axis, in lengths.
        septum_wall: thickness of the septum.
        lateral_wall: thickness of the lateral wall.
        apex_wall: thickness of the wall at the apex.
        rv_width: width of the right ventricle, relative to ``lv_width``.
        rv_start: depth of the right ventricle's tip, in LV lengths.
        la_width: half-width of the left atrium, relative to ``lv_width``.
        la_length: length of the left atrium, in LV lengths.
        ra_width: half-width of the right atrium, relative to ``lv_width``.
        ra_length: length of the right atrium, in LV lengths.
        septum_db: level of the septum.
        lateral_db: level of the lateral wall.
        rv_db: level of the right ventricle's free wall.
        annulus_db: level of the crux and of the lateral groove.
        annulus_size: size of both, relative to the wall.
        pericardium_db: level of the line outside the lateral wall.
        atrial_db: level of the atrial walls.
        outside_db: level of the tissue around the heart.
        blood_db: level of blood.
        valve_db: level of the leaflets.
        papillary_db: level of structures inside the LV.
        gain_db: gain of the whole image.
        dynamic_range: range from black to white, dB.
        gamma: exponent of the grey map.
        attenuation: dB lost from the tip to the full depth, after the scanner's correction.
        dropout_db: dB lost at ``dropout_angle``.
        dropout_angle: angle of the dropout, relative to ``half_angle``, -1 to 1.
        dropout_width: width of the dropout, relative to ``half_angle``.
        edge_db: dB lost at both edges of the sector.
        patchiness_db: standard deviation of slow variations of level.
        clutter_db: level of near-field clutter.
        clutter_depth: depth over which the clutter decays.
        noise_db: level of the receiver's noise.
        noise_slope: dB added to the noise from tip to full depth.
        haze_db: level of the steady haze over the sector.
        psf_axial: standard deviation of the point spread along a beam.
        psf_lateral: standard deviation across beams, in radians times 100.
        persistence: weight of the previous frame, 0 to 0.7.
        scale_bar: style of the marks at the sector's right side, 0 (none) to 3.
        scale_position: place of the marks along the edge, relative to ``depth``.
        marker: level of the mark at the top, 0 (none) to 255.
        speckle_seed: seed of the scatterers, the patches and the noise.
        elevation: thickness of the slice that the beam sees, pixels; what moves through it changes its speckle. 0 for
            a slice so thick that nothing leaves it.
        shadow_db: dB lost in the shadow of a rib or lung, over all depths.
        shadow_angle: its angle, relative to ``half_angle``.
        shadow_width: its width, relative to ``half_angle``.
        shade_sway: how far breathing moves dropout and shadow, relative to ``half_angle``.
        side_lobes: amplitude that bright tissue smears along the arc, relative to it.
        haze_patches_db: standard deviation of the level of haze and clutter from place to place.
        knee: bend of the grey map: 0 is a plain power, 1 lifts the middle and flattens both ends.
        smoothing: standard deviation of the scanner's smoothing of the picture, pixels of a 112x112 frame.
        overlay: what else the scanner writes: 0 nothing, 1 dots along the depth, 2 dots and a grey bar, 3 a focus mark
            and a line of text.
    """

    origin_x: float
    origin_y: float
    half_angle: float
    depth: float
    near_cut: float
    mm_per_px: float
    apex_x: float
    apex_y: float
    tilt: float
    lv_length: float
    foreshortening: float
    lv_width: float
    lv_widest: float
    lv_base: float
    lv_roundness: float
    lv_bend: float
    septum_wall: float
    lateral_wall: float
    apex_wall: float
    rv_width: float
    rv_start: float
    la_width: float
    la_length: float
    ra_width: float
    ra_length: float
    septum_db: float
    lateral_db: float
    rv_db: float
    annulus_db: float
    annulus_size: float
    pericardium_db: float
    atrial_db: float
    outside_db: float
    blood_db: float
    valve_db: float
    papillary_db: float
    gain_db: float
    dynamic_range: float
    gamma: float
    attenuation: float
    dropout_db: float
    dropout_angle: float
    dropout_width: float
    edge_db: float
    patchiness_db: float
    clutter_db: float
    clutter_depth: float
    noise_db: float
    noise_slope: float
    haze_db: float
    psf_axial: float
    psf_lateral: float
    persistence: float
    scale_bar: int
    scale_position: float
    marker: int
    speckle_seed: int
    elevation: float = 0.0
    shadow_db: float = 0.0
    shadow_angle: float = 0.0
    shadow_width: float = 0.2
    shade_sway: float = 0.0
    side_lobes: float = 0.0
    haze_patches_db: float = 0.0
    knee: float = 0.0
    smoothing: float = 0.0
    overlay: int = 0

    VENTRICLE: ClassVar[Mapping[str, tuple[float, float]]] = {
        "lv_length": (15, 100),
        "lv_width": (5, 45),
        "lv_widest": (0.3, 0.9),
        "lv_base": (0.3, 1),
        "lv_roundness": (1, 4),
        "foreshortening": (0, 0.5),
    }
    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {
        **VENTRICLE,
        "half_angle": (0.3, 1.2),
        "depth": (40, 200),
        "mm_per_px": (0.3, 5),
        "dynamic_range": (10, 120),
        "gamma": (0.3, 3),
        "persistence": (0, 0.7),
        "elevation": (0, 50),
        "shadow_width": (0.02, 1),
        "shade_sway": (0, 0.5),
        "side_lobes": (0, 0.5),
        "knee": (0, 1),
        "smoothing": (0, 3),
        "overlay": (0, 3),
    }

    @property
    def ed_length(self) -> float:
        """Length of the long axis as drawn at ED, pixels."""
        return self.lv_length * (1 - self.foreshortening)
