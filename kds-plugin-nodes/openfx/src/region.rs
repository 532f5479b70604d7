//! Regions: the result lies where the source does, and every pixel of it depends on the whole source.

use std::ffi::CStr;
use std::ptr::null_mut;

use crate::describe::MASK;
use crate::host::{Properties, Suites, text};
use crate::raw::{self, Handle, RectD, Status};

/// Answers where the result lies.
///
/// # Safety
/// A live effect, and what the host passes to the action.
pub unsafe fn of_definition(effect: Handle, arguments: Handle, answers: Handle, suites: &Suites) -> Status {
    // SAFETY: by the contract of this function.
    let (source, answers) = unsafe { (of_clip(effect, arguments, raw::SOURCE, suites), suites.properties(answers)) };
    let Some(source) = source else { return raw::REPLY_DEFAULT };
    set(answers, raw::REGION_OF_DEFINITION, source);
    raw::OK
}

/// Answers what is needed of the clips: all of them.
///
/// # Safety
/// A live effect, and what the host passes to the action.
pub unsafe fn of_interest(effect: Handle, arguments: Handle, answers: Handle, suites: &Suites) -> Status {
    // SAFETY: by the contract of this function.
    let (source, mask, answers) = unsafe {
        let of = |name| of_clip(effect, arguments, name, suites);
        (of(raw::SOURCE), of(MASK), suites.properties(answers))
    };
    let Some(source) = source else { return raw::REPLY_DEFAULT };
    let name = |clip: &CStr| text(&format!("{}{}", raw::REGION_OF_INTEREST_OF, clip.to_string_lossy()));
    set(answers, &name(raw::SOURCE), source);
    if mask.is_some() {
        set(answers, &name(MASK), source);
    }
    raw::OK
}

/// The region of a clip at the time of an action; none where it is not connected.
///
/// # Safety
/// A live effect, and the arguments of an action.
unsafe fn of_clip(effect: Handle, arguments: Handle, name: &CStr, suites: &Suites) -> Option<RectD> {
    let (mut clip, mut region) = (null_mut(), RectD::default());
    // SAFETY: by the contract of this function.
    unsafe {
        let time = suites.properties(arguments).double(raw::TIME).unwrap_or(0.0);
        let found = (suites.effect.clip_get_handle)(effect, name.as_ptr(), &raw mut clip, null_mut());
        if found != raw::OK || clip.is_null() {
            return None;
        }
        let status = (suites.effect.clip_get_region_of_definition)(clip, time, &raw mut region);
        (status == raw::OK && region.x1 < region.x2 && region.y1 < region.y2).then_some(region)
    }
}

fn set(answers: Properties, name: &CStr, region: RectD) {
    for (index, value) in (0..).zip([region.x1, region.y1, region.x2, region.y2]) {
        answers.set_double(name, index, value);
    }
}
