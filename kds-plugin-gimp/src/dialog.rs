//! The dialog: which model, how well, where the result goes, and what it will cost.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use kds_host::{Estimate, ModelInfo};

use crate::argument::{Argument, Kind};
use crate::failure::Failure;
use crate::gimp::Handle;
use crate::gtk::{Gtk, Handler, Widget};
use crate::guard::guard;
use crate::loading::{Loading, News};
use crate::preset::Preset;
use crate::region::Region;
use crate::restorer::{Models, Restorer, Speed};
use crate::settings::{Settings, Value};
use crate::task::Task;

/// Arguments of the part that is shown on request.
const ADVANCED: [&str; 6] = ["particles", "steps", "strength", "bandwidth", "seed", "device"];
/// Arguments of which a model has an own idea, which is shown where nothing else was chosen.
const OF_THE_MODEL: [&str; 4] = ["particles", "steps", "strength", "bandwidth"];

/// The pictures that the dialog is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Pixels of each that the model sees: columns and rows.
    pub sizes: Vec<(u32, u32)>,
    /// They have a palette, which they will lose.
    pub indexed: bool,
}

impl Subject {
    /// Regions to restore.
    pub fn of<H: Handle>(regions: &[Region<H>]) -> Self {
        let size = |region: &Region<H>| (region.seen.width.unsigned_abs(), region.seen.height.unsigned_abs());
        Self { sizes: regions.iter().map(size).collect(), indexed: regions.iter().any(|region| region.indexed) }
    }

    /// The largest of them, which decides what memory is needed.
    fn largest(&self) -> (u32, u32) {
        let pixels = |(width, height): &(u32, u32)| u64::from(*width) * u64::from(*height);
        self.sizes.iter().copied().max_by_key(pixels).unwrap_or((1, 1))
    }
}

/// Asks for the settings, and returns the model that was loaded meanwhile. The dialog begins with `settings`, and leaves
/// what was chosen in them.
///
/// # Errors
/// [`Failure::Cancelled`], and whatever keeps the chosen model from being used.
pub fn ask(
    gtk: &Gtk,
    task: Task,
    models: Models,
    subject: &Subject,
    settings: &mut Settings,
) -> Result<Arc<Restorer>, Failure> {
    // A model that is gone since the last time is no reason to refuse a new choice.
    if models.chosen(settings).is_err() {
        settings.set("model", Value::Text(String::new()));
    }
    let window = gtk.dialog(&format!("{} (KDS)", task.title()), "kds", &format!("_{}", task.title()));
    let dialog = Dialog::build(gtk, Arc::new(models), subject, window, settings);
    dialog.listen();
    gtk.show(window);
    dialog.load_model();
    // SAFETY: the handler takes a dialog, and this one lives until it is stopped.
    let ticks = unsafe { gtk.every(100, look, std::ptr::from_ref(&dialog).cast_mut().cast()) };
    let answer = gtk.answer(window);
    gtk.stop(ticks);
    gtk.hide(window);
    if answer {
        dialog.wait_for_model();
    }
    *settings = dialog.settings();
    gtk.close(window);
    // The measurement ends before the restoration begins.
    dialog.abandoned.borrow_mut().clear();
    drop(dialog.loading.take());
    match dialog.chosen.replace(Chosen::Loading) {
        Chosen::Loaded { restorer, .. } if answer => Ok(restorer),
        Chosen::Unusable(failure) if answer => Err(failure),
        _ => Err(Failure::Cancelled),
    }
}

struct Dialog<'a> {
    gtk: &'a Gtk,
    models: Arc<Models>,
    subject: &'a Subject,
    window: Widget,
    preset: Widget,
    about: Widget,
    cost: Widget,
    advanced: Widget,
    devices: Vec<String>,
    controls: Vec<(Argument, Widget)>,
    /// Settings at the start.
    before: Settings,
    /// The model that is chosen now.
    chosen: RefCell<Chosen>,
    loading: RefCell<Option<Loading>>,
    /// Loading of models that were chosen for a moment, until it has ended.
    abandoned: RefCell<Vec<Loading>>,
    /// While we change widgets ourselves, what they say is no news.
    quiet: Cell<bool>,
    /// The quality was chosen before the model's own numbers were known.
    preset_chosen: Cell<bool>,
    /// Controls that were changed before that.
    changed: RefCell<Vec<Widget>>,
}

/// State of the chosen model.
enum Chosen {
    Loading,
    Loaded { restorer: Arc<Restorer>, speed: Option<Result<Speed, Failure>> },
    Unusable(Failure),
}

impl Chosen {
    fn restorer(&self) -> Option<&Arc<Restorer>> {
        if let Self::Loaded { restorer, .. } = self { Some(restorer) } else { None }
    }
}

impl<'a> Dialog<'a> {
    fn build(gtk: &'a Gtk, models: Arc<Models>, subject: &'a Subject, window: Widget, settings: &Settings) -> Self {
        let mut devices = models.devices();
        devices.insert(0, "auto".into());
        let device = settings.text("device");
        if !devices.iter().any(|known| known == device) {
            devices.push(device.into());
        }
        let content = gtk.content(window);
        let (basic, rare) = (gtk.table(), gtk.table());
        let preset = gtk.combo(Preset::ALL.map(Preset::title));
        let about = gtk.label();
        let mut controls = Vec::new();
        // The next rows of either table.
        let (mut basic_row, mut rare_row) = (0, 0);
        for (argument, _) in settings.iter() {
            let widget = control(gtk, argument, models.list(), &devices);
            let label = (argument.kind != Kind::Switch).then_some(argument.label);
            let (table, row) = match ADVANCED.contains(&argument.name) {
                true => (rare, &mut rare_row),
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
        let advanced = gtk.expander("_Advanced", rare);
        gtk.append(content, advanced);
        if subject.indexed {
            let note = gtk.label();
            gtk.say(note, "The image has a palette. It becomes RGB, so that the result has all its colours.");
            gtk.append(content, note);
        }
        gtk.append(content, cost);
        Self {
            gtk,
            models,
            subject,
            window,
            preset,
            about,
            cost,
            advanced,
            devices,
            controls,
            before: settings.clone(),
            chosen: RefCell::new(Chosen::Loading),
            loading: RefCell::default(),
            abandoned: RefCell::default(),
            quiet: Cell::new(false),
            preset_chosen: Cell::new(false),
            changed: RefCell::default(),
        }
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

    /// Settings as chosen now.
    fn settings(&self) -> Settings {
        let mut settings = self.before.clone();
        let loaded = self.chosen.borrow();
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
            if !OF_THE_MODEL.contains(&argument.name) {
                settings.set(argument.name, value);
            } else if let Some(restorer) = loaded.restorer() {
                let own = restorer.own_text(argument.name) == Some(value.to_string());
                settings.set(argument.name, if own { argument.kind.default() } else { value });
            }
        }
        settings
    }

    /// Begins to load the chosen model, and shows what it is.
    fn load_model(&self) {
        let settings = self.settings();
        self.gtk.say(self.about, &self.models.chosen(&settings).map_or_else(|error| error.to_string(), about));
        *self.chosen.borrow_mut() = Chosen::Loading;
        let mut abandoned = self.abandoned.borrow_mut();
        abandoned.extend(self.loading.take());
        abandoned.retain(|loading| !loading.stop());
        match Loading::start(self.models.clone(), settings) {
            Ok(loading) => *self.loading.borrow_mut() = Some(loading),
            Err(failure) => *self.chosen.borrow_mut() = Chosen::Unusable(failure),
        }
        drop(abandoned);
        self.show_cost();
    }

    /// Takes what has become known of the model: shows what it suggests, then what a restoration will cost.
    fn take_news(&self) {
        let news = self.loading.borrow().as_ref().and_then(Loading::news);
        match news {
            None => return,
            Some(News::Loaded(Ok(restorer))) => {
                *self.chosen.borrow_mut() = Chosen::Loaded { restorer, speed: None };
                self.show_values();
                self.open_what_was_changed();
            }
            Some(News::Loaded(Err(failure))) => *self.chosen.borrow_mut() = Chosen::Unusable(failure),
            Some(News::Measured(measured)) => {
                if let Chosen::Loaded { speed, .. } = &mut *self.chosen.borrow_mut() {
                    *speed = Some(measured);
                }
            }
        }
        self.show_cost();
    }

    /// Opens the advanced part where it holds what was chosen before and no quality says.
    fn open_what_was_changed(&self) {
        const OF_A_PRESET: [&str; 2] = ["particles", "steps"];
        let preset = self.numbers().is_some_and(|(shown, own)| Preset::of(shown, own) != Preset::Custom);
        let chosen = |name: &str| *name != *"seed" && self.before.parameter(name).is_some();
        let told = |name: &str| preset && OF_A_PRESET.contains(&name);
        if ADVANCED.into_iter().any(|name| chosen(name) && !told(name)) {
            self.gtk.open(self.advanced);
        }
    }

    /// Shows what was chosen before for the model's own parameters, or what the model suggests.
    fn show_values(&self) {
        let loaded = self.chosen.borrow();
        let Some(restorer) = loaded.restorer() else { return };
        self.quiet.set(true);
        let changed = self.changed.take();
        let unchanged = |(argument, widget): &&(Argument, Widget)| {
            OF_THE_MODEL.contains(&argument.name) && !changed.contains(widget)
        };
        for (argument, widget) in self.controls.iter().filter(unchanged) {
            let chosen = self.before.parameter(argument.name);
            let value = chosen.or_else(|| restorer.own_text(argument.name)).unwrap_or_default();
            match argument.kind {
                Kind::Text { .. } => self.gtk.set_typed(*widget, &value),
                _ => self.gtk.set_number(*widget, value.parse().unwrap_or(0.0)),
            }
        }
        self.quiet.set(false);
        drop(loaded);
        match self.preset_chosen.take() {
            true => self.take_preset(),
            false => self.show_preset(),
        }
    }

    /// The dialog may be confirmed before the model is loaded.
    fn wait_for_model(&self) {
        while matches!(*self.chosen.borrow(), Chosen::Loading) {
            std::thread::sleep(Duration::from_millis(20));
            self.take_news();
        }
    }

    /// Particles and steps, as shown and as the model suggests.
    fn numbers(&self) -> Option<((i32, i32), (i32, i32))> {
        let loaded = self.chosen.borrow();
        let restorer = loaded.restorer()?;
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
        let (Some(preset), Some((_, own))) = (preset, self.numbers()) else { return self.preset_chosen.set(true) };
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
        let cost = match &*self.chosen.borrow() {
            Chosen::Loading => {
                self.gtk.allow(self.window, true);
                return self.gtk.say(self.cost, "Loading the model…");
            }
            Chosen::Unusable(failure) => Err(failure.clone()),
            Chosen::Loaded { restorer, speed } => self.cost(restorer, speed.as_ref()),
        };
        self.gtk.allow(self.window, cost.is_ok());
        self.gtk.say(self.cost, &cost.unwrap_or_else(|error| error.to_string()));
    }

    fn cost(&self, restorer: &Restorer, speed: Option<&Result<Speed, Failure>>) -> Result<String, Failure> {
        let settings = self.settings();
        let particles = self.control("particles").map_or(1.0, |widget| self.gtk.number(widget));
        let speed = speed.cloned().transpose()?;
        let mut seconds = 0.0;
        for (width, height) in &self.subject.sizes {
            let estimate = restorer.estimate(&settings, *width, *height)?;
            seconds += speed.map_or(0.0, |speed| speed.estimated(&estimate, particles));
        }
        let (width, height) = self.subject.largest();
        let device = restorer.device();
        let place = Place {
            device: self.models.why(&device, settings.parameter("device").as_deref()),
            free: self.models.free_memory("cpu"),
            free_on_device: self.models.free_memory(&device),
        };
        Ok(in_words(speed.map(|_| seconds), &restorer.estimate(&settings, width, height)?, &place))
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

/// Description of a model and of its needs.
fn about(model: &ModelInfo) -> String {
    let size = match model.scale {
        1 => "keeps the size".to_owned(),
        scale => format!("makes pictures {scale} times as wide and as high"),
    };
    let needs = if model.needs_mask { ", needs a selection" } else { "" };
    format!("{} ({}): {size}{needs}", model.id, model.source)
}

/// Device of a restoration.
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

unsafe extern "C" fn other_value(widget: *mut c_void, data: *mut c_void) {
    let change = |dialog: &Dialog<'_>| {
        if matches!(*dialog.chosen.borrow(), Chosen::Loading) {
            dialog.changed.borrow_mut().push(Widget::of(widget));
        }
        dialog.show_preset();
        dialog.show_cost();
    };
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, change) }
}

/// True when there is news of the model.
unsafe extern "C" fn look(data: *mut c_void) -> c_int {
    // SAFETY: `ask` gives its dialog.
    unsafe { react(data, |dialog| dialog.take_news()) };
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
