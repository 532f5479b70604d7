//! From settings to widgets and back.

use super::{ADVANCED, Dialog};
use crate::argument::Kind;
use crate::controls::{OF_THE_MODEL, largest_scale, offered};
use crate::restorer::Restorer;
use crate::settings::{Settings, Value};

impl Dialog<'_> {
    /// Shows the settings of before. Those of which the model has an own idea follow in [`Dialog::show_values`].
    pub(super) fn show_before(&self) {
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

    /// Settings as chosen now.
    pub(super) fn settings(&self) -> Settings {
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

    /// Shows what was chosen before for the model's own parameters, or what the model suggests at the chosen quality.
    pub(super) fn show_values(&self) {
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
    pub(super) fn take_preset(&self) {
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
    pub(super) fn take_amount(&self) {
        if let Some(slider) = self.control("amount") {
            self.viewer.set_amount((self.gtk.position(slider) / 100.0) as f32);
        }
    }

    /// Opens the advanced part where it holds what was chosen before.
    pub(super) fn open_what_was_changed(&self) {
        let before = self.before.borrow();
        if ADVANCED.into_iter().any(|name| name != "seed" && before.parameter(name).is_some()) {
            self.gtk.open(self.advanced);
        }
    }
}
