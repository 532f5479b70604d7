//! The dialog: a preview, how well, how much, where the result goes, and what it will cost.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use crate::argument::{Argument, Kind};
use crate::controls::{OF_THE_MODEL, about, control, largest_scale, offered};
use crate::cost::{Place, in_words};
use crate::failure::Failure;
use crate::gimp::Handle;
use crate::gtk::{Answer, Gtk, Handler, Widget};
use crate::guard::guard;
use crate::loading::{Loading, News};
use crate::photograph::Photograph;
use crate::region::Region;
use crate::restorer::{Models, Restorer, Speed};
use crate::settings::{Settings, Value};
use crate::task::Task;
use crate::translation::{fill, tr};
use crate::viewer::Viewer;

/// Arguments in the order in which the dialog has them, less those of [`ADVANCED`].
const BASIC: [&str; 7] = ["model", "preset", "favour", "amount", "scale", "output", "confidence"];
/// Arguments of the part that is shown on request.
const ADVANCED: [&str; 6] = ["particles", "steps", "strength", "bandwidth", "seed", "device"];

/// The pictures that the dialog is about.
pub struct Subject<'a> {
    /// Pixels of each that the model sees: columns and rows.
    pub sizes: Vec<(u32, u32)>,
    /// They have a palette, which they will lose.
    pub indexed: bool,
    /// Size of the image.
    pub image: (i32, i32),
    /// The first of them, for the preview.
    pub photograph: &'a dyn Photograph,
}

impl<'a> Subject<'a> {
    /// Regions to restore.
    pub fn of<H: Handle>(regions: &[Region<H>], photograph: &'a dyn Photograph, image: (i32, i32)) -> Self {
        let size = |region: &Region<H>| (region.seen.width.unsigned_abs(), region.seen.height.unsigned_abs());
        let sizes = regions.iter().map(size).collect();
        Self { sizes, indexed: regions.iter().any(|region| region.indexed), image, photograph }
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
    subject: &Subject<'_>,
    settings: &mut Settings,
) -> Result<Arc<Restorer>, Failure> {
    // A model that is gone since the last time is no reason to refuse a new choice.
    if models.chosen(settings).is_err() {
        settings.set("model", Value::Text(String::new()));
    }
    let window = gtk.dialog(&format!("{} (KDS)", tr(task.title())), "kds", &tr(task.button()));
    let dialog = Dialog::build(gtk, task, Arc::new(models), subject, window, settings);
    dialog.show_before();
    dialog.listen();
    gtk.show(window);
    dialog.load_model();
    // SAFETY: the handler takes a dialog, and this one lives until it is stopped.
    let ticks = unsafe { gtk.every(100, look, std::ptr::from_ref(&dialog).cast_mut().cast()) };
    let answer = loop {
        match gtk.answer(window) {
            Answer::Reset => dialog.reset(),
            Answer::Help => dialog.help(),
            Answer::Yes => break true,
            Answer::No => break false,
        }
    };
    gtk.stop(ticks);
    gtk.hide(window);
    dialog.viewer.end();
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
    task: Task,
    models: Arc<Models>,
    subject: &'a Subject<'a>,
    viewer: Viewer<'a>,
    window: Widget,
    about: Widget,
    cost: Widget,
    advanced: Widget,
    devices: Vec<String>,
    controls: Vec<(Argument, Widget)>,
    /// Settings at the start, or after a reset.
    before: RefCell<Settings>,
    /// The model that is chosen now.
    chosen: RefCell<Chosen>,
    loading: RefCell<Option<Loading>>,
    /// Loading of models that were chosen for a moment, until it has ended.
    abandoned: RefCell<Vec<Loading>>,
    /// While we change widgets ourselves, what they say is no news.
    quiet: Cell<bool>,
    /// Controls that were changed before the model's own numbers were known.
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

    /// The same once its speed is measured, which takes all processors.
    fn measured(&self) -> Option<&Arc<Restorer>> {
        if let Self::Loaded { restorer, speed: Some(_) } = self { Some(restorer) } else { None }
    }
}

impl<'a> Dialog<'a> {
    fn build(
        gtk: &'a Gtk,
        task: Task,
        models: Arc<Models>,
        subject: &'a Subject<'a>,
        window: Widget,
        settings: &Settings,
    ) -> Self {
        let mut devices = models.devices();
        devices.insert(0, "auto".into());
        let device = settings.text("device");
        if !devices.iter().any(|known| known == device) {
            devices.push(device.into());
        }
        let (left, right) = gtk.columns(window);
        let viewer = Viewer::build(gtk, subject.photograph, task == Task::Inpaint, left);
        let (basic, rare) = (gtk.table(), gtk.table());
        let about = gtk.label_of(44);
        let mut controls = Vec::new();
        let all: Vec<_> = settings.iter().map(|(argument, _)| argument.clone()).collect();
        for (names, table) in [(&BASIC[..], basic), (&ADVANCED[..], rare)] {
            let mut row = 0;
            for argument in names.iter().filter_map(|name| all.iter().find(|argument| argument.name == *name)) {
                if !task.uses(argument.name) {
                    continue;
                }
                let widget = control(gtk, task, argument, models.list(), &devices);
                let label = (argument.kind != Kind::Switch).then(|| tr(argument.label));
                gtk.attach(table, row, label.as_deref(), widget, &tr(argument.help));
                row += 1;
                if argument.name == "model" {
                    gtk.attach(table, row, None, about, "");
                    row += 1;
                }
                controls.push((argument.clone(), widget));
            }
        }
        gtk.append(right, basic);
        let advanced = gtk.expander(&tr("_Advanced"), rare);
        gtk.append(right, advanced);
        if subject.indexed {
            let note = gtk.label();
            gtk.say(note, &tr("The image has a palette. It becomes RGB, so that the result has all its colours."));
            gtk.append(right, note);
        }
        let cost = gtk.label();
        gtk.append(right, cost);
        Self {
            gtk,
            task,
            models,
            subject,
            viewer,
            window,
            about,
            cost,
            advanced,
            devices,
            controls,
            before: RefCell::new(settings.clone()),
            chosen: RefCell::new(Chosen::Loading),
            loading: RefCell::default(),
            abandoned: RefCell::default(),
            quiet: Cell::new(false),
            changed: RefCell::default(),
        }
    }

    fn control(&self, name: &str) -> Option<Widget> {
        self.controls.iter().find(|(argument, _)| argument.name == name).map(|(_, widget)| *widget)
    }

    /// Shows the settings of before. Those of which the model has an own idea follow in [`Dialog::show_values`].
    fn show_before(&self) {
        self.quiet.set(true);
        let before = self.before.borrow();
        let at = |position: Option<usize>| position.unwrap_or(0) as i32;
        for (argument, widget) in &self.controls {
            let gtk = self.gtk;
            match (argument.name, argument.kind) {
                ("model", _) => {
                    let id = before.text("model");
                    gtk.choose(*widget, at(self.models.list().iter().position(|model| model.id == id)));
                }
                ("device", _) => {
                    let device = before.text("device");
                    gtk.choose(*widget, at(self.devices.iter().position(|known| known == device)));
                }
                ("amount", _) => gtk.set_position(*widget, f64::from(before.integer("amount"))),
                // Nothing is chosen: as much as the model can.
                ("scale", _) => {
                    let scale = before.integer("scale");
                    let largest = largest_scale(self.models.list());
                    gtk.choose(*widget, if scale == 0 { largest } else { scale } - 2);
                }
                (name, _) if OF_THE_MODEL.contains(&name) => {}
                (name, Kind::Integer { .. }) => gtk.set_number(*widget, f64::from(before.integer(name))),
                (name, Kind::Choice(_)) => {
                    let chosen = before.integer(name);
                    gtk.choose(*widget, at(offered(self.task, argument).iter().position(|number| *number == chosen)));
                }
                (name, Kind::Switch) => gtk.tick(*widget, before.switch(name)),
                (name, Kind::Text { .. }) => gtk.set_typed(*widget, before.text(name)),
                (_, Kind::Number { .. }) => {}
            }
        }
        self.quiet.set(false);
    }

    fn listen(&self) {
        let data: *mut c_void = std::ptr::from_ref(self).cast_mut().cast();
        for (argument, widget) in &self.controls {
            let signal = match argument.kind {
                _ if argument.name == "scale" => c"changed",
                Kind::Integer { .. } | Kind::Number { .. } => c"value-changed",
                Kind::Switch => c"toggled",
                Kind::Text { .. } | Kind::Choice(_) => c"changed",
            };
            let handler: Handler = match argument.name {
                "model" | "device" => other_model,
                "preset" => other_preset,
                "amount" => other_amount,
                "output" | "confidence" => other_place,
                _ => other_value,
            };
            // SAFETY: the handlers take a dialog, and this one lives until its window, and so the widget, is gone.
            unsafe { self.gtk.on(*widget, signal, handler, data) };
        }
        // SAFETY: as above; the viewer is a part of the dialog.
        unsafe { self.viewer.listen() };
    }

    /// Forgets all that was chosen.
    fn reset(&self) {
        *self.before.borrow_mut() = Settings::default();
        self.changed.borrow_mut().clear();
        self.show_before();
        self.load_model();
    }

    /// Says what each control does.
    fn help(&self) {
        let mut words = vec![tr(self.task.help())];
        for (argument, _) in &self.controls {
            let label = tr(argument.label).replace('_', "");
            words.push(format!("{label}: {}", tr(argument.help)));
        }
        words.push(tr("More is in docs/gimp.md of KDS: selections, alpha, layers, scripts, messages."));
        self.gtk.tell(&tr("Help of KDS"), &words.join("\n\n"));
    }

    /// Settings as chosen now.
    fn settings(&self) -> Settings {
        let mut settings = self.before.borrow().clone();
        for (argument, widget) in &self.controls {
            let gtk = self.gtk;
            let chosen = || usize::try_from(gtk.chosen(*widget)).unwrap_or(0);
            let value = match (argument.name, argument.kind) {
                ("model", _) => {
                    Value::Text(self.models.list().get(chosen()).map_or_else(String::new, |model| model.id.clone()))
                }
                ("device", _) => Value::Text(self.devices.get(chosen()).cloned().unwrap_or_default()),
                ("amount", _) => Value::Integer(gtk.position(*widget).round() as i32),
                ("scale", _) => {
                    let scale = gtk.chosen(*widget) + 2;
                    Value::Integer(if scale == largest_scale(self.models.list()) { 0 } else { scale })
                }
                (_, Kind::Choice(_)) => {
                    Value::Integer(offered(self.task, argument).get(chosen()).copied().unwrap_or(0))
                }
                (_, Kind::Switch) => Value::Integer(i32::from(gtk.ticked(*widget))),
                (name, _) if OF_THE_MODEL.contains(&name) => continue,
                (_, Kind::Integer { .. }) => Value::Integer(gtk.number(*widget) as i32),
                (_, Kind::Number { .. }) => Value::Number(gtk.number(*widget)),
                (_, Kind::Text { .. }) => Value::Text(gtk.typed(*widget)),
            };
            settings.set(argument.name, value);
        }
        // Values that equal those of the quality are left to it.
        let loaded = self.chosen.borrow();
        let own = loaded.restorer().and_then(|restorer| self.own_values(restorer, &settings));
        for (name, own) in OF_THE_MODEL.into_iter().zip(own.into_iter().flatten()) {
            let Some((argument, widget)) = self.controls.iter().find(|(argument, _)| argument.name == name) else {
                continue;
            };
            let value = match argument.kind {
                Kind::Integer { .. } => Value::Integer(self.gtk.number(*widget) as i32),
                // As many digits as are shown: 0.3, not the number that is nearest to it in single precision.
                Kind::Number { .. } => Value::Number((self.gtk.number(*widget) * 100.0).round() / 100.0),
                _ => Value::Text(self.gtk.typed(*widget)),
            };
            settings.set(name, if value.to_string() == own { argument.kind.default() } else { value });
        }
        settings
    }

    /// Values of [`OF_THE_MODEL`] at the chosen quality.
    fn own_values(&self, restorer: &Restorer, settings: &Settings) -> Option<[String; 4]> {
        restorer.own_values(OF_THE_MODEL, settings.integer("preset")).ok()
    }

    /// Begins to load the chosen model, and shows what it is.
    fn load_model(&self) {
        let settings = self.settings();
        let words =
            self.models.chosen(&settings).map_or_else(|error| error.to_string(), |model| about(self.task, model));
        self.gtk.say(self.about, &words);
        *self.chosen.borrow_mut() = Chosen::Loading;
        self.viewer.change();
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

    /// Takes what has become known of the model: shows what it suggests, then what a restoration will cost. Then the preview can
    /// go on.
    fn tick(&self) {
        let news = self.loading.borrow().as_ref().and_then(Loading::news);
        if let Some(news) = news {
            match news {
                News::Loaded(Ok(restorer)) => {
                    *self.chosen.borrow_mut() = Chosen::Loaded { restorer, speed: None };
                    self.show_values();
                    self.open_what_was_changed();
                }
                News::Loaded(Err(failure)) => *self.chosen.borrow_mut() = Chosen::Unusable(failure),
                News::Measured(measured) => {
                    if let Chosen::Loaded { speed, .. } = &mut *self.chosen.borrow_mut() {
                        *speed = Some(measured);
                    }
                }
            }
            self.show_cost();
        }
        let restorer = self.chosen.borrow().measured().cloned();
        self.viewer.tick(restorer.as_ref(), || self.settings());
    }

    /// Opens the advanced part where it holds what was chosen before.
    fn open_what_was_changed(&self) {
        let before = self.before.borrow();
        if ADVANCED.into_iter().any(|name| name != "seed" && before.parameter(name).is_some()) {
            self.gtk.open(self.advanced);
        }
    }

    /// Shows what was chosen before for the model's own parameters, or what the model suggests at the chosen quality.
    fn show_values(&self) {
        let settings = self.settings();
        let loaded = self.chosen.borrow();
        let Some(restorer) = loaded.restorer() else { return };
        let Some(own) = self.own_values(restorer, &settings) else { return };
        self.quiet.set(true);
        let changed = self.changed.take();
        let before = self.before.borrow();
        for (name, own) in OF_THE_MODEL.into_iter().zip(own) {
            let Some((argument, widget)) = self.controls.iter().find(|(argument, _)| argument.name == name) else {
                continue;
            };
            if changed.contains(widget) {
                continue;
            }
            let value = before.parameter(name).unwrap_or(own);
            match argument.kind {
                Kind::Text { .. } => self.gtk.set_typed(*widget, &value),
                _ => self.gtk.set_number(*widget, value.parse().unwrap_or(0.0)),
            }
        }
        self.quiet.set(false);
    }

    /// Another quality: its numbers replace those that were chosen.
    fn take_preset(&self) {
        for name in OF_THE_MODEL {
            if let Some(argument) = self.controls.iter().map(|(argument, _)| argument).find(|found| found.name == name)
            {
                self.before.borrow_mut().set(name, argument.kind.default());
            }
        }
        self.changed.borrow_mut().clear();
        self.show_values();
    }

    /// Another amount, which needs nothing of the worker.
    fn take_amount(&self) {
        if let Some(slider) = self.control("amount") {
            self.viewer.set_amount((self.gtk.position(slider) / 100.0) as f32);
        }
    }

    /// The dialog may be confirmed before the model is loaded.
    fn wait_for_model(&self) {
        while matches!(*self.chosen.borrow(), Chosen::Loading) {
            std::thread::sleep(Duration::from_millis(20));
            let news = self.loading.borrow().as_ref().and_then(Loading::news);
            match news {
                Some(News::Loaded(Ok(restorer))) => {
                    *self.chosen.borrow_mut() = Chosen::Loaded { restorer, speed: None };
                    self.show_values();
                }
                Some(News::Loaded(Err(failure))) => *self.chosen.borrow_mut() = Chosen::Unusable(failure),
                _ => {}
            }
        }
    }

    /// Says what a restoration with these settings takes, or why there can be none.
    fn show_cost(&self) {
        let cost = match &*self.chosen.borrow() {
            Chosen::Loading => {
                self.gtk.allow(self.window, true);
                return self.gtk.say(self.cost, &tr("Loading the model…"));
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
        let words = in_words(speed.map(|_| seconds), &restorer.estimate(&settings, width, height)?, &place);
        if self.task != Task::Upscale {
            return Ok(words);
        }
        let scale = i64::from(restorer.scale(&settings));
        let [width, height] =
            [self.subject.image.0, self.subject.image.1].map(|side| (i64::from(side) * scale).to_string());
        Ok(format!("{}\n{words}", fill("The image becomes {} × {} pixels.", &[&width, &height])))
    }
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
        dialog.viewer.change();
    };
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, change) }
}

unsafe extern "C" fn other_amount(_: *mut c_void, data: *mut c_void) {
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, |dialog| dialog.take_amount()) }
}

unsafe extern "C" fn other_place(_: *mut c_void, data: *mut c_void) {
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, |dialog| dialog.show_cost()) }
}

unsafe extern "C" fn other_value(widget: *mut c_void, data: *mut c_void) {
    let change = |dialog: &Dialog<'_>| {
        if matches!(*dialog.chosen.borrow(), Chosen::Loading) {
            dialog.changed.borrow_mut().push(Widget::of(widget));
        }
        dialog.show_cost();
        dialog.viewer.change();
    };
    // SAFETY: `Dialog::listen` gives itself.
    unsafe { react(data, change) }
}

/// True when there is news of the model.
unsafe extern "C" fn look(data: *mut c_void) -> c_int {
    // SAFETY: `ask` gives its dialog.
    unsafe { react(data, |dialog| dialog.tick()) };
    1
}
