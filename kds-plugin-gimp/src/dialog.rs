//! The dialog: which model, how well, where the result goes, and what it will cost.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::sync::Arc;

use kds_host::{Estimate, ModelInfo};

use crate::argument::{Argument, Kind};
use crate::failure::Failure;
use crate::gtk::{Gtk, Handler, Widget};
use crate::guard::guard;
use crate::measurement::Measurement;
use crate::preset::Preset;
use crate::restorer::{Models, Restorer, Speed};
use crate::settings::{Settings, Value};
use crate::task::Task;

/// Arguments of the part that is shown on request.
const ADVANCED: [&str; 6] = ["particles", "steps", "strength", "bandwidth", "seed", "device"];
/// Arguments of which a model has an own idea, which is shown where nothing else was chosen.
const OF_THE_MODEL: [&str; 4] = ["particles", "steps", "strength", "bandwidth"];

/// Asks for the settings, and returns the model that was loaded meanwhile. The dialog begins with `settings`, and leaves
/// what was chosen in them. `size` is that of the picture.
///
/// # Errors
/// [`Failure::Cancelled`], and whatever keeps the chosen model from being used.
pub fn ask(
    gtk: &Gtk,
    task: Task,
    models: &Models,
    size: (u32, u32),
    settings: &mut Settings,
) -> Result<Arc<Restorer>, Failure> {
    // A model that is gone since the last time is no reason to refuse a new choice.
    if models.chosen(settings).is_err() {
        settings.set("model", Value::Text(String::new()));
    }
    let window = gtk.dialog(&format!("{} (KDS)", task.title()), "kds", &format!("_{}", task.title()));
    let dialog = Dialog::build(gtk, models, size, window, settings);
    dialog.listen();
    dialog.load_model();
    gtk.show(window);
    // SAFETY: the handler takes a dialog, and this one lives until it is stopped.
    let ticks = unsafe { gtk.every(100, look, std::ptr::from_ref(&dialog).cast_mut().cast()) };
    let answer = gtk.answer(window);
    gtk.stop(ticks);
    *settings = dialog.settings();
    gtk.close(window);
    let loaded = dialog.loaded.replace(Err(Failure::Cancelled));
    if answer { loaded.map(|loaded| loaded.restorer) } else { Err(Failure::Cancelled) }
}

struct Dialog<'a> {
    gtk: &'a Gtk,
    models: &'a Models,
    size: (u32, u32),
    window: Widget,
    preset: Widget,
    about: Widget,
    cost: Widget,
    devices: Vec<String>,
    controls: Vec<(Argument, Widget)>,
    /// What the dialog began with.
    before: Settings,
    /// The model that is chosen now, or why it cannot be used.
    loaded: RefCell<Result<Loaded, Failure>>,
    /// While we change widgets ourselves, what they say is no news.
    quiet: Cell<bool>,
}

struct Loaded {
    restorer: Arc<Restorer>,
    speed: Option<Result<Speed, Failure>>,
    measurement: Measurement,
}

impl<'a> Dialog<'a> {
    fn build(gtk: &'a Gtk, models: &'a Models, size: (u32, u32), window: Widget, settings: &Settings) -> Self {
        let mut devices = models.devices();
        devices.insert(0, "auto".into());
        let device = settings.text("device");
        if !devices.iter().any(|known| known == device) {
            devices.push(device.into());
        }
        let content = gtk.content(window);
        let (basic, advanced) = (gtk.table(), gtk.table());
        let preset = gtk.combo(Preset::ALL.map(Preset::title));
        let about = gtk.label();
        let mut controls = Vec::new();
        // The next rows of either table.
        let (mut basic_row, mut advanced_row) = (0, 0);
        for (argument, _) in settings.iter() {
            let widget = control(gtk, argument, models.list(), &devices);
            let label = (argument.kind != Kind::Switch).then_some(argument.label);
            let (table, row) = match ADVANCED.contains(&argument.name) {
                true => (advanced, &mut advanced_row),
                false => (basic, &mut basic_row),
            };
            gtk.attach(table, *row, label, widget, &argument.help);
            *row += 1;
            if argument.name == "model" {
                gtk.attach(basic, *row, Some("About it"), about, "");
                let help = "How long it may take: sets the numbers of particles and of steps.";
                gtk.attach(basic, *row + 1, Some("_Quality"), preset, help);
                *row += 2;
            }
            controls.push((argument.clone(), widget));
        }
        let cost = gtk.label();
        gtk.append(content, basic);
        let changed = ADVANCED.iter().any(|name| *name != "seed" && settings.parameter(name).is_some());
        gtk.append(content, gtk.expander("_Advanced", advanced, changed));
        gtk.append(content, cost);
        let loaded = RefCell::new(Err(Failure::Cancelled));
        let before = settings.clone();
        let quiet = Cell::new(false);
        Self { gtk, models, size, window, preset, about, cost, devices, controls, before, loaded, quiet }
    }

    fn control(&self, name: &str) -> Option<Widget> {
        self.controls.iter().find(|(argument, _)| argument.name == name).map(|(_, widget)| *widget)
    }

    /// Shows the settings that the dialog began with, then listens to changes.
    fn listen(&self) {
        for (argument, widget) in &self.controls {
            let (gtk, before) = (self.gtk, &self.before);
            match (argument.name, argument.kind) {
                ("model", _) => {
                    let id = before.text("model");
                    let position = self.models.list().iter().position(|model| model.id == id);
                    gtk.choose(*widget, position.unwrap_or(0) as i32);
                }
                ("device", _) => {
                    let device = before.text("device");
                    let position = self.devices.iter().position(|known| known == device);
                    gtk.choose(*widget, position.unwrap_or(0) as i32);
                }
                // Those depend on the model, see `show_values`.
                (name, _) if OF_THE_MODEL.contains(&name) => {}
                (name, Kind::Integer { .. }) => gtk.set_number(*widget, f64::from(before.integer(name))),
                (name, Kind::Choice(_)) => gtk.choose(*widget, before.integer(name)),
                (name, Kind::Switch) => gtk.tick(*widget, before.switch(name)),
                (name, Kind::Text { .. }) => gtk.set_typed(*widget, before.text(name)),
                (_, Kind::Number { .. }) => {}
            }
            let signal = match argument.kind {
                Kind::Integer { .. } | Kind::Number { .. } => c"value-changed",
                Kind::Switch => c"toggled",
                Kind::Text { .. } | Kind::Choice(_) => c"changed",
            };
            let handler: Handler = match argument.name {
                "model" | "device" => other_model,
                _ => other_value,
            };
            // SAFETY: the handlers take a dialog, and this one lives until its window, and so the widget, is gone.
            unsafe { gtk.on(*widget, signal, handler, std::ptr::from_ref(self).cast_mut().cast()) };
        }
        // SAFETY: as above.
        unsafe { self.gtk.on(self.preset, c"changed", other_preset, std::ptr::from_ref(self).cast_mut().cast()) };
    }

    /// What is chosen now.
    fn settings(&self) -> Settings {
        let mut settings = self.before.clone();
        let loaded = self.loaded.borrow();
        for (argument, widget) in &self.controls {
            let gtk = self.gtk;
            let value = match (argument.name, argument.kind) {
                ("model", _) => {
                    let chosen = usize::try_from(gtk.chosen(*widget)).unwrap_or(0);
                    Value::Text(self.models.list().get(chosen).map_or_else(String::new, |model| model.id.clone()))
                }
                ("device", _) => {
                    let chosen = usize::try_from(gtk.chosen(*widget)).unwrap_or(0);
                    Value::Text(self.devices.get(chosen).cloned().unwrap_or_default())
                }
                (_, Kind::Integer { .. }) => Value::Integer(gtk.number(*widget) as i32),
                // As many digits as are shown: 0.3, not the number that is nearest to it in single precision.
                (_, Kind::Number { .. }) => Value::Number((gtk.number(*widget) * 100.0).round() / 100.0),
                (_, Kind::Choice(_)) => Value::Integer(gtk.chosen(*widget).max(0)),
                (_, Kind::Switch) => Value::Integer(i32::from(gtk.ticked(*widget))),
                (_, Kind::Text { .. }) => Value::Text(gtk.typed(*widget)),
            };
            let own = loaded.as_ref().ok().and_then(|loaded| loaded.restorer.own_text(argument.name));
            let chosen = !OF_THE_MODEL.contains(&argument.name) || own != Some(value.to_string());
            settings.set(argument.name, if chosen { value } else { argument.kind.default() });
        }
        settings
    }

    /// Loads the chosen model, and shows what it is and what it suggests.
    fn load_model(&self) {
        let settings = self.settings();
        // The one before frees its memory first.
        *self.loaded.borrow_mut() = Err(Failure::Cancelled);
        let loaded = self.models.load(&settings).and_then(|restorer| {
            let restorer = Arc::new(restorer);
            Ok(Loaded { measurement: Measurement::start(restorer.clone())?, restorer, speed: None })
        });
        self.gtk.say(self.about, &self.models.chosen(&settings).map_or_else(|error| error.to_string(), about));
        *self.loaded.borrow_mut() = loaded;
        self.show_values();
        self.show_cost();
    }

    /// Shows what was chosen before for the model's own parameters, or what the model suggests.
    fn show_values(&self) {
        let loaded = self.loaded.borrow();
        let Ok(Loaded { restorer, .. }) = &*loaded else { return };
        self.quiet.set(true);
        for (argument, widget) in self.controls.iter().filter(|(argument, _)| OF_THE_MODEL.contains(&argument.name)) {
            let chosen = self.before.parameter(argument.name);
            let value = chosen.or_else(|| restorer.own_text(argument.name)).unwrap_or_default();
            match argument.kind {
                Kind::Text { .. } => self.gtk.set_typed(*widget, &value),
                _ => self.gtk.set_number(*widget, value.parse().unwrap_or(0.0)),
            }
        }
        self.quiet.set(false);
        drop(loaded);
        self.show_preset();
    }

    /// Particles and steps, as shown and as the model suggests.
    fn numbers(&self) -> Option<((i32, i32), (i32, i32))> {
        let loaded = self.loaded.borrow();
        let restorer = &loaded.as_ref().ok()?.restorer;
        let shown = |name| self.control(name).map(|widget| self.gtk.number(widget) as i32);
        let shown = (shown("particles")?, shown("steps")?);
        Some((shown, (restorer.own_value("particles"), restorer.own_value("steps"))))
    }

    fn show_preset(&self) {
        let Some((shown, own)) = self.numbers() else { return };
        let preset = Preset::of(shown, own);
        let position = Preset::ALL.iter().position(|other| *other == preset);
        self.quiet.set(true);
        self.gtk.choose(self.preset, position.unwrap_or(0) as i32);
        self.quiet.set(false);
    }

    fn take_preset(&self) {
        let preset = usize::try_from(self.gtk.chosen(self.preset)).ok().and_then(|chosen| Preset::ALL.get(chosen));
        let (Some(preset), Some((_, own))) = (preset, self.numbers()) else { return };
        let Some((particles, steps)) = preset.numbers(own) else { return };
        self.quiet.set(true);
        for (name, value) in [("particles", particles), ("steps", steps)] {
            if let Some(widget) = self.control(name) {
                self.gtk.set_number(widget, f64::from(value));
            }
        }
        self.quiet.set(false);
    }

    /// Says what a restoration with these settings takes, or why there can be none.
    fn show_cost(&self) {
        let settings = self.settings();
        let shown = self.loaded.borrow();
        let cost = shown.as_ref().map_err(Clone::clone).and_then(|loaded| {
            let (width, height) = self.size;
            let estimate = loaded.restorer.estimate(&settings, width, height)?;
            let particles = self.control("particles").map_or(1.0, |widget| self.gtk.number(widget));
            let steps = estimate.evaluations as f64 / estimate.tiles.max(1) as f64;
            // Tiles overlap, so they hold more pixels than the picture.
            let pixels = estimate.tiles as f64 * f64::from(estimate.tile_width) * f64::from(estimate.tile_height);
            let seconds = loaded.speed.clone().transpose()?.map(|speed| speed.seconds(pixels, particles, steps));
            let place = Place {
                device: self.models.why(&loaded.restorer.device(), settings.parameter("device").as_deref()),
                free: self.models.free_memory("cpu"),
                free_on_device: self.models.free_memory(&loaded.restorer.device()),
            };
            Ok(in_words(seconds, &estimate, &place))
        });
        self.gtk.allow(self.window, cost.is_ok());
        self.gtk.say(self.cost, &cost.unwrap_or_else(|error| error.to_string()));
    }
}

/// The widget for an argument.
fn control(gtk: &Gtk, argument: &Argument, models: &[ModelInfo], devices: &[String]) -> Widget {
    match (argument.name, argument.kind) {
        ("model", _) => gtk.combo(models.iter().map(|model| model.title.as_str())),
        ("device", _) => gtk.combo(devices.iter().map(String::as_str)),
        // What a model has an own idea of is shown as a number, never as the value that stands for it.
        (name, Kind::Integer { min, max, .. }) => {
            let least = if OF_THE_MODEL.contains(&name) { min.max(1) } else { min };
            gtk.spin(f64::from(least), f64::from(max), 1.0, 0)
        }
        (_, Kind::Number { max, .. }) => gtk.spin(0.0, max, 0.05, 2),
        (_, Kind::Choice(choices)) => gtk.combo(choices.iter().map(|choice| choice.title)),
        (_, Kind::Switch) => gtk.check(argument.label),
        (_, Kind::Text { .. }) => gtk.entry(),
    }
}

/// What a model is and what it needs.
fn about(model: &ModelInfo) -> String {
    let size = match model.scale {
        1 => "keeps the size".to_owned(),
        scale => format!("makes pictures {scale} times as wide and as high"),
    };
    let needs = if model.needs_mask { ", needs a selection" } else { "" };
    format!("{} ({}): {size}{needs}", model.id, model.source)
}

/// Where a restoration computes.
struct Place {
    /// The device, with the reason where nobody chose it.
    device: String,
    /// Free bytes of the host, 0 where not known.
    free: u64,
    /// Free bytes of the device.
    free_on_device: u64,
}

/// Time, if it is known, and memory for a person: no digits that an estimate cannot have.
fn in_words(seconds: Option<f64>, estimate: &Estimate, place: &Place) -> String {
    let time = match seconds {
        None => "Measuring how fast this machine is…".to_owned(),
        Some(..1.5) => "Takes about a second.".to_owned(),
        Some(seconds @ ..90.0) => format!("Takes about {seconds:.0} seconds."),
        Some(seconds @ ..5400.0) => format!("Takes about {:.0} minutes.", seconds / 60.0),
        Some(seconds) => format!("Takes about {:.1} hours.", seconds / 3600.0),
    };
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let of = |free: u64| if free == 0 { String::new() } else { format!(", of {} that are free", gigabytes(free)) };
    let device = match estimate.device_memory {
        0 => String::new(),
        bytes => format!("; about {} of the device{}", gigabytes(bytes), of(place.free_on_device)),
    };
    let host = format!("{} of memory{}", gigabytes(estimate.memory), of(place.free));
    format!("{time}\nNeeds about {host}{device}.\nComputes on {}.", place.device)
}

/// Calls `react` unless the change is our own. No panic reaches GTK.
///
/// # Safety
/// `data` points to a living [`Dialog`].
unsafe fn react(data: *mut c_void, react: impl FnOnce(&Dialog<'_>)) {
    // SAFETY: by the contract of this function.
    let dialog = unsafe { &*data.cast_const().cast::<Dialog<'_>>() };
    if !dialog.quiet.get() {
        guard(|| react(dialog), |message| dialog.gtk.say(dialog.cost, &message));
    }
}

unsafe extern "C" fn other_model(_: *mut c_void, data: *mut c_void) {
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, |dialog| dialog.load_model()) }
}

unsafe extern "C" fn other_preset(_: *mut c_void, data: *mut c_void) {
    let change = |dialog: &Dialog<'_>| {
        dialog.take_preset();
        dialog.show_cost();
    };
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, change) }
}

unsafe extern "C" fn other_value(_: *mut c_void, data: *mut c_void) {
    let change = |dialog: &Dialog<'_>| {
        dialog.show_preset();
        dialog.show_cost();
    };
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, change) }
}

/// Whether the measurement is over.
unsafe extern "C" fn look(data: *mut c_void) -> c_int {
    let look = |dialog: &Dialog<'_>| {
        let news = match &mut *dialog.loaded.borrow_mut() {
            Ok(loaded) if loaded.speed.is_none() => {
                loaded.speed = loaded.measurement.result();
                loaded.speed.is_some()
            }
            _ => false,
        };
        if news {
            dialog.show_cost();
        }
    };
    // SAFETY: `ask` gives its dialog.
    unsafe { react(data, look) };
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_told_in_round_numbers() {
        let place = |free, free_on_device| Place { device: "cpu".to_owned(), free, free_on_device };
        let needs = |memory, device_memory| Estimate {
            tile_width: 64,
            tile_height: 64,
            batch: 1,
            tiles: 1,
            memory,
            evaluations: 8,
            host_memory: memory,
            device_memory,
        };
        let words = in_words(Some(0.3), &needs(1_234_000_000, 0), &place(0, 0));
        assert_eq!(words, "Takes about a second.\nNeeds about 1.2 GB of memory.\nComputes on cpu.");
        let words = in_words(Some(600.0), &needs(900_000_000, 2_000_000_000), &place(8_000_000_000, 4_000_000_000));
        assert_eq!(
            words,
            "Takes about 10 minutes.\nNeeds about 0.9 GB of memory, of 8.0 GB that are free; about 2.0 GB of the device, of \
             4.0 GB that are free.\nComputes on cpu."
        );
        assert!(in_words(Some(7200.0), &needs(0, 0), &place(0, 0)).contains("2.0 hours"));
        assert!(in_words(None, &needs(0, 0), &place(0, 0)).contains("Measuring"));
    }
}
