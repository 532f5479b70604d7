//! The dialog: a preview, how well, how much, where the result goes, and what it will cost.

mod handlers;
mod model;
mod subject;
mod values;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use handlers::look;
use model::Chosen;
pub use subject::Subject;

use crate::argument::{Argument, Kind};
use crate::controls::control;
use crate::failure::Failure;
use crate::gtk::{Answer, Gtk, Widget};
use crate::loading::Loading;
use crate::restorer::{Models, Restorer};
use crate::settings::{Settings, Value};
use crate::task::Task;
use crate::translation::tr;
use crate::viewer::Viewer;

/// Arguments in the order in which the dialog has them, less those of [`ADVANCED`].
const BASIC: [&str; 7] = ["model", "preset", "favour", "amount", "scale", "output", "confidence"];
/// Arguments of the part that is shown on request.
const ADVANCED: [&str; 6] = ["particles", "steps", "strength", "bandwidth", "seed", "device"];

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
}
