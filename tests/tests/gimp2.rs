//! The plug-in in GIMP 2.10, without a window.

use kds_tests::gimp::Version::Two;
use kds_tests::gimp::pixels::{FEW, PIXELS, every_kind};
use kds_tests::gimp::{cancelled, meanwhile, places, refusals};

#[test]
fn restoring_does_what_the_command_does_with_every_kind_of_pixels() {
    let all: Vec<_> = (0..PIXELS.len()).collect();
    every_kind(Two, "plug-in-kds-restore", "kds-photo-x1", &all).unwrap();
}

#[test]
fn upscaling_does_what_the_command_does_with_several_kinds_of_pixels() {
    every_kind(Two, "plug-in-kds-upscale", "kds-photo-x4", &FEW).unwrap();
}

#[test]
fn only_the_selection_changes() {
    places::only_the_selection_changes(Two).unwrap();
}

#[test]
fn results_go_where_they_should() {
    places::results_go_where_they_should(Two).unwrap();
}

#[test]
fn the_image_grows_with_all_its_layers() {
    places::the_image_grows_with_all_its_layers(Two).unwrap();
}

#[test]
fn the_selection_is_filled() {
    places::the_selection_is_filled(Two).unwrap();
}

#[test]
fn values_beyond_the_range_stay() {
    places::values_beyond_the_range_stay(Two).unwrap();
}

#[test]
fn settings_are_those_of_the_command() {
    places::settings_are_those_of_the_command(Two).unwrap();
}

#[test]
fn gimp_speaks_german() {
    refusals::messages_are_translated(Two).unwrap();
}

#[test]
fn a_palette_gives_way_to_all_colours() {
    places::a_palette_gives_way_to_all_colours(Two).unwrap();
}

#[test]
fn refusals_say_what_to_do() {
    refusals::refusals_say_what_to_do(Two).unwrap();
}

#[test]
fn a_killed_restoration_leaves_the_image_untouched() {
    cancelled::a_killed_restoration_leaves_the_image_untouched(Two).unwrap();
}

#[test]
fn gimp_starts_without_the_library() {
    refusals::gimp_starts_without_the_library(Two).unwrap();
}

#[test]
fn nothing_that_is_painted_meanwhile_is_lost() {
    for procedure in ["plug-in-kds-restore", "plug-in-kds-upscale", "plug-in-kds-inpaint"] {
        meanwhile::nothing_that_is_painted_meanwhile_is_lost(Two, procedure).unwrap();
    }
}
