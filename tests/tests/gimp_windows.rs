//! The plug-in in a window of GIMP, used by keyboard.

use kds_tests::gimp::Version::{Three, ThreeTwo, Two};
use kds_tests::gimp::by_keyboard::{cancelling, restoring_undoing_and_repeating};

#[test]
fn restoring_undoing_and_repeating_in_gimp_2() {
    restoring_undoing_and_repeating(Two).unwrap();
}

#[test]
fn restoring_undoing_and_repeating_in_gimp_3() {
    restoring_undoing_and_repeating(Three).unwrap();
}

#[test]
fn restoring_undoing_and_repeating_in_gimp_3_2() {
    restoring_undoing_and_repeating(ThreeTwo).unwrap();
}

#[test]
fn cancelling_in_gimp_2() {
    cancelling(Two).unwrap();
}

#[test]
fn cancelling_in_gimp_3() {
    cancelling(Three).unwrap();
}

#[test]
fn cancelling_in_gimp_3_2() {
    cancelling(ThreeTwo).unwrap();
}
