//! The preview in the dialog: its controls, and its mouse and keyboard.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{Event, Input};
use crate::failure::Failure;
use crate::gegl::Rectangle;
use crate::gtk::{Gtk, Widget};
use crate::guard::guard;
use crate::photograph::{Photograph, Sample};
use crate::pixels::Pixels;
use crate::preview::{self, SIDE, Shown, ZOOMS};
use crate::restorer::{Restored, Restorer};
use crate::settings::Settings;
use crate::translation::{fill, tr};
use crate::trial::Trial;

/// Changes that follow each other faster are one.
const PAUSE: Duration = Duration::from_millis(300);
/// Pixels of the screen beside the line that still take hold of it.
const GRIP: f64 = 6.0;
/// Pixels of the screen that an arrow key moves the picture by.
const STEP: i32 = 32;

/// The preview.
pub struct Viewer<'a> {
    gtk: &'a Gtk,
    photograph: &'a dyn Photograph,
    /// True where holes are filled.
    fills: bool,
    canvas: Widget,
    image: Widget,
    line: Widget,
    zoom: Widget,
    enabled: Widget,
    doubts: Widget,
    words: Widget,
    /// Centre of the part that is shown, in pixels of the layer; none before the first.
    centre: Cell<Option<(i32, i32)>>,
    scale: Cell<i32>,
    amount: Cell<f32>,
    /// The time of the last change that asks for another trial.
    changed: Cell<Option<Instant>>,
    trial: RefCell<Option<Trial>>,
    shown: RefCell<Option<Compared>>,
    /// Place of the mouse while it moves the picture, or the line.
    held: Cell<Option<Held>>,
}

/// Pictures of a part.
struct Compared {
    part: Rectangle,
    sample: Arc<Sample>,
    original: Pixels,
    before: Vec<u8>,
    restored: Option<Restored>,
    after: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy)]
enum Held {
    Line,
    Picture { x: f64, y: f64, centre: (i32, i32) },
}

impl<'a> Viewer<'a> {
    /// Puts the preview into a column.
    pub fn build(gtk: &'a Gtk, photograph: &'a dyn Photograph, fills: bool, column: Widget) -> Self {
        let (canvas, image) = gtk.canvas(SIDE);
        gtk.append(column, canvas);
        let line = gtk.slider(false);
        gtk.set_position(line, 50.0);
        // Not at the picture, which it would cover.
        gtk.explain(
            line,
            &tr(
                "Left of the line as it is, right of it restored. Drag the line to compare, the picture to see another part; turn the wheel, or press + and -, to zoom.",
            ),
        );
        gtk.append(column, line);
        let table = gtk.table();
        let zoom = gtk.combo(ZOOMS.map(|zoom| format!("{zoom}00 %")).iter().map(String::as_str));
        gtk.choose(zoom, 0);
        gtk.attach(table, 0, Some(&tr("_Zoom")), zoom, &tr("Pixels of the screen for each of the result."));
        let enabled = gtk.check(&tr("Previe_w"));
        gtk.tick(enabled, true);
        gtk.attach(table, 1, None, enabled, &tr("Restores the part that is shown whenever a setting changes."));
        let doubts = gtk.check(&tr("Show _low confidence"));
        gtk.attach(table, 2, None, doubts, &tr("Red where the particles differ, so that the result is invention."));
        gtk.append(column, table);
        let words = gtk.label_of(34);
        gtk.append(column, words);
        Self {
            gtk,
            photograph,
            fills,
            canvas,
            image,
            line,
            zoom,
            enabled,
            doubts,
            words,
            centre: Cell::new(None),
            scale: Cell::new(1),
            amount: Cell::new(1.0),
            changed: Cell::new(Some(Instant::now())),
            trial: RefCell::default(),
            shown: RefCell::default(),
            held: Cell::new(None),
        }
    }

    /// Listens to its controls.
    ///
    /// # Safety
    /// The viewer stays where it is for as long as its window lives.
    pub unsafe fn listen(&self) {
        let data = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: by the contract of this function; the signals have the arguments that the handlers take.
        unsafe {
            for signal in [
                c"button-press-event",
                c"motion-notify-event",
                c"button-release-event",
                c"scroll-event",
                c"key-press-event",
            ] {
                self.gtk.on_event(self.canvas, signal, take_event, data);
            }
            self.gtk.on(self.line, c"value-changed", redraw, data);
            self.gtk.on(self.doubts, c"toggled", redraw, data);
            self.gtk.on(self.zoom, c"changed", look_again, data);
            self.gtk.on(self.enabled, c"toggled", look_again, data);
        }
    }

    /// Another setting was chosen, so that another result is to be shown.
    pub fn change(&self) {
        self.changed.set(Some(Instant::now()));
        if let Some(trial) = &*self.trial.borrow() {
            trial.stop();
        }
    }

    /// Another amount was chosen, which needs no new result.
    pub fn set_amount(&self, amount: f32) {
        self.amount.set(amount);
        if let Some(compared) = &mut *self.shown.borrow_mut() {
            self.mix(compared);
        }
        self.draw();
    }

    /// Looks for a result, and begins the next trial where something has changed. `settings` tells with what, once the model is
    /// loaded.
    pub fn tick(&self, restorer: Option<&Arc<Restorer>>, settings: impl FnOnce() -> Settings) {
        let outcome = self.trial.borrow().as_ref().map(|trial| (trial.is_stopped(), trial.percent(), trial.outcome()));
        match outcome {
            Some((_, percent, None)) => {
                return self.gtk.say(self.words, &fill("Restoring this part: {} %", &[&percent.to_string()]));
            }
            Some((stopped, _, Some(outcome))) => {
                *self.trial.borrow_mut() = None;
                if !stopped {
                    self.take(outcome);
                }
            }
            None => {}
        }
        let pauses = self.changed.get().is_some_and(|changed| changed.elapsed() >= PAUSE);
        if !pauses || self.held.get().is_some() {
            return;
        }
        if self.shown.borrow().is_none() {
            self.show_original();
        }
        let Some(restorer) = restorer else { return };
        if !self.gtk.ticked(self.enabled) {
            return;
        }
        self.changed.set(None);
        let settings = settings();
        self.scale.set(restorer.scale(&settings));
        if let Err(failure) = self.begin(restorer.clone(), settings) {
            self.gtk.say(self.words, &failure.to_string());
        }
    }

    /// Ends what is being computed.
    pub fn end(&self) {
        drop(self.trial.take());
    }

    fn begin(&self, restorer: Arc<Restorer>, settings: Settings) -> Result<(), Failure> {
        self.amount.set(settings.amount());
        let sample = self.look()?;
        *self.trial.borrow_mut() = Some(Trial::start(restorer, settings, sample)?);
        Ok(())
    }

    fn take(&self, outcome: Result<Restored, Failure>) {
        match outcome {
            Err(Failure::Cancelled) => {}
            Err(failure) => self.gtk.say(self.words, &failure.to_string()),
            Ok(restored) => {
                self.gtk.say(self.words, "");
                if let Some(compared) = &mut *self.shown.borrow_mut() {
                    compared.restored = Some(restored);
                    self.mix(compared);
                }
                self.draw();
            }
        }
    }

    fn show_original(&self) {
        if let Err(failure) = self.look() {
            self.gtk.say(self.words, &failure.to_string());
        }
    }

    /// Reads the part that is to be shown, and shows it as it is.
    fn look(&self) -> Result<Arc<Sample>, Failure> {
        let (bounds, zoom, scale) = (self.photograph.bounds(), self.zoom(), self.scale.get());
        let centre = self.centre.get().unwrap_or_else(|| {
            let size = preview::part(bounds, (0, 0), zoom, scale);
            preview::centre(self.photograph.area(), size, self.fills)
        });
        self.centre.set(Some(centre));
        let part = preview::part(bounds, centre, zoom, scale);
        let sample = Arc::new(self.photograph.sample(part)?);
        let original = sample.enlarged(scale)?;
        let before = self.photograph.on_screen(&original)?;
        *self.shown.borrow_mut() =
            Some(Compared { part, sample: sample.clone(), original, before, restored: None, after: None });
        self.draw();
        Ok(sample)
    }

    fn mix(&self, compared: &mut Compared) {
        let Some(restored) = &compared.restored else { return };
        let mixed = compared.sample.with(restored, &compared.original, self.amount.get());
        match mixed.and_then(|mixed| self.photograph.on_screen(&mixed)) {
            Ok(after) => compared.after = Some(after),
            Err(failure) => self.gtk.say(self.words, &failure.to_string()),
        }
    }

    fn draw(&self) {
        let shown = self.shown.borrow();
        let Some(compared) = &*shown else { return };
        let map = compared.restored.as_ref().and_then(|restored| restored.confidence.as_ref());
        let shown = Shown {
            width: compared.original.width as usize,
            height: compared.original.height as usize,
            before: &compared.before,
            after: compared.after.as_deref(),
            confidence: map.filter(|_| self.gtk.ticked(self.doubts)).map(|map| &map.bytes[..]),
        };
        self.gtk.show_pixels(self.image, SIDE, &shown.draw(self.zoom(), self.split()));
    }

    fn zoom(&self) -> i32 {
        let chosen = usize::try_from(self.gtk.chosen(self.zoom)).unwrap_or(0);
        ZOOMS.get(chosen).copied().unwrap_or(1)
    }

    fn split(&self) -> f64 {
        self.gtk.position(self.line) / 100.0
    }

    /// True where the event was for the preview.
    fn react(&self, input: Input) -> bool {
        match input {
            Input::Press(x, y) => {
                self.gtk.focus(self.canvas);
                let compares = self.shown.borrow().as_ref().is_some_and(|compared| compared.after.is_some());
                let on_line = compares && (x - preview::line(self.split()) as f64).abs() <= GRIP;
                let centre = self.middle();
                self.held.set(Some(if on_line { Held::Line } else { Held::Picture { x, y, centre } }));
            }
            Input::Drag(x, y) => match self.held.get() {
                Some(Held::Line) => self.gtk.set_position(self.line, 100.0 * x / f64::from(SIDE - 1)),
                Some(Held::Picture { x: from_x, y: from_y, centre }) => {
                    let pixel = f64::from(self.zoom() * self.scale.get());
                    let moved = (((from_x - x) / pixel).round() as i32, ((from_y - y) / pixel).round() as i32);
                    self.go(centre.0 + moved.0, centre.1 + moved.1);
                }
                None => return false,
            },
            Input::Release => self.held.set(None),
            Input::Wheel(away) => self.turn(if away { 1 } else { -1 }),
            Input::Key(key) => return self.press(key),
            Input::Other => return false,
        }
        true
    }

    fn press(&self, key: u32) -> bool {
        let step = (STEP / (self.zoom() * self.scale.get())).max(1);
        let (x, y) = self.middle();
        match key {
            0xff51 => self.go(x - step, y),
            0xff52 => self.go(x, y - step),
            0xff53 => self.go(x + step, y),
            0xff54 => self.go(x, y + step),
            // On the keyboard, and beside the numbers.
            0x2b | 0xffab => self.turn(1),
            0x2d | 0xffad => self.turn(-1),
            _ => return false,
        }
        true
    }

    /// The middle of what is shown.
    fn middle(&self) -> (i32, i32) {
        let shown = self.shown.borrow();
        shown.as_ref().map_or((0, 0), |Compared { part, .. }| (part.x + part.width / 2, part.y + part.height / 2))
    }

    /// Shows another part.
    fn go(&self, x: i32, y: i32) {
        let place = |centre| preview::part(self.photograph.bounds(), centre, self.zoom(), self.scale.get());
        let part = self.shown.borrow().as_ref().map(|compared| compared.part);
        if part != Some(place((x, y))) {
            self.centre.set(Some((x, y)));
            self.change();
            self.show_original();
        }
    }

    fn turn(&self, by: i32) {
        let chosen = self.gtk.chosen(self.zoom) + by;
        if (0..ZOOMS.len() as i32).contains(&chosen) {
            self.gtk.choose(self.zoom, chosen);
        }
    }
}

/// # Safety
/// `data` points to a living [`Viewer`].
unsafe fn with<T>(data: *mut c_void, otherwise: T, react: impl FnOnce(&Viewer<'_>) -> T) -> T {
    // SAFETY: by the contract of this function.
    let viewer = unsafe { &*data.cast_const().cast::<Viewer<'_>>() };
    let instead = |message: String| {
        viewer.gtk.say(viewer.words, &message);
        otherwise
    };
    guard(|| react(viewer), instead)
}

unsafe extern "C" fn take_event(_: *mut c_void, event: *const Event, data: *mut c_void) -> c_int {
    // SAFETY: GTK gives an event, and `listen` its viewer.
    unsafe {
        let input = Event::read(event);
        with(data, 0, |viewer| c_int::from(viewer.react(input)))
    }
}

unsafe extern "C" fn redraw(_: *mut c_void, data: *mut c_void) {
    // SAFETY: `listen` gives its viewer.
    unsafe { with(data, (), |viewer| viewer.draw()) }
}

unsafe extern "C" fn look_again(_: *mut c_void, data: *mut c_void) {
    let look = |viewer: &Viewer<'_>| {
        viewer.change();
        viewer.show_original();
    };
    // SAFETY: `listen` gives its viewer.
    unsafe { with(data, (), look) }
}
