//! The plug-in in GIMP 3.2, without a window: what is most likely to differ from 3.0.

use kds_tests::gimp::Version::ThreeTwo;
use kds_tests::gimp::pixels::{FEW, every_kind};
use kds_tests::gimp::{cancelled, meanwhile, places, refusals};

#[test]
fn restoring_does_what_the_command_does_with_several_kinds_of_pixels() {
    every_kind(ThreeTwo, "plug-in-kds-restore", "kds-photo-x1", &FEW).unwrap();
}

#[test]
fn results_go_where_they_should() {
    places::results_go_where_they_should(ThreeTwo).unwrap();
}

#[test]
fn a_killed_restoration_leaves_the_image_untouched() {
    cancelled::a_killed_restoration_leaves_the_image_untouched(ThreeTwo).unwrap();
}

#[test]
fn nothing_that_is_painted_meanwhile_is_lost() {
    for procedure in ["plug-in-kds-restore", "plug-in-kds-upscale", "plug-in-kds-inpaint"] {
        meanwhile::nothing_that_is_painted_meanwhile_is_lost(ThreeTwo, procedure).unwrap();
    }
}

#[test]
fn gimp_speaks_german() {
    refusals::messages_are_translated(ThreeTwo).unwrap();
}
