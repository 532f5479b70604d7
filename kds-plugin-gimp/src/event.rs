//! Mouse and keyboard events of a widget. The layouts are the same in GTK 2 and GTK 3.

use std::ffi::{c_double, c_int, c_uint, c_void};

/// The beginning that `GdkEventButton`, `GdkEventMotion` and `GdkEventScroll` have in common, and the direction of the last.
#[repr(C)]
pub struct Event {
    kind: c_int,
    window: *mut c_void,
    sent: i8,
    time: u32,
    /// Column in the widget; of a key its state and its value.
    x: c_double,
    /// Row in the widget.
    y: c_double,
    // Of a button the axes, of which the size is that of the two following.
    state: c_uint,
    direction: c_int,
}

/// An event, read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Input {
    /// The first mouse button goes down there.
    Press(f64, f64),
    /// The mouse moves there while it is down.
    Drag(f64, f64),
    /// It goes up.
    Release,
    /// The wheel is turned, away from the person or towards them.
    Wheel(bool),
    /// A key, by GDK's number.
    Key(u32),
    /// Something else.
    Other,
}

impl Event {
    /// The input that it tells of.
    ///
    /// # Safety
    /// The event is one that GTK gave to an [`EventHandler`].
    pub unsafe fn read(event: *const Self) -> Input {
        // SAFETY: by the contract of this function. Only the fields of its kind are read.
        unsafe {
            match (*event).kind {
                4 => Input::Press((*event).x, (*event).y),
                3 => Input::Drag((*event).x, (*event).y),
                7 => Input::Release,
                // `GdkEventKey` has two numbers in the place of the column: what is held, and the key.
                8 => Input::Key(((*event).x.to_bits() >> 32) as u32),
                31 => match (*event).direction {
                    0 => Input::Wheel(true),
                    1 => Input::Wheel(false),
                    _ => Input::Other,
                },
                _ => Input::Other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_where_others_have_the_column() {
        let event = |kind, x, direction| Event {
            kind,
            window: std::ptr::null_mut(),
            sent: 0,
            time: 0,
            x,
            y: 7.0,
            state: 0,
            direction,
        };
        // SAFETY: they are whole events.
        let read = |event: Event| unsafe { Event::read(&event) };
        assert_eq!(read(event(4, 3.0, 0)), Input::Press(3.0, 7.0));
        // `GdkEventKey`: the state, then the key.
        let bytes = [1u32.to_ne_bytes(), 0x2bu32.to_ne_bytes()].concat();
        let key = f64::from_ne_bytes(bytes.try_into().unwrap());
        assert_eq!(read(event(8, key, 0)), Input::Key(0x2b));
        assert_eq!((read(event(31, 0.0, 1)), read(event(31, 0.0, 4))), (Input::Wheel(false), Input::Other));
    }
}
