//! The chosen model: loading it, and what a restoration with it costs.

use std::sync::Arc;
use std::time::Duration;

use super::Dialog;
use crate::controls::about;
use crate::cost::{Place, in_words};
use crate::failure::Failure;
use crate::loading::{Loading, News};
use crate::restorer::{Restorer, Speed};
use crate::task::Task;
use crate::translation::{fill, tr};

/// State of the chosen model.
pub(super) enum Chosen {
    Loading,
    Loaded { restorer: Arc<Restorer>, speed: Option<Result<Speed, Failure>> },
    Unusable(Failure),
}

impl Chosen {
    pub(super) fn restorer(&self) -> Option<&Arc<Restorer>> {
        if let Self::Loaded { restorer, .. } = self { Some(restorer) } else { None }
    }

    /// The same once its speed is measured, which takes all processors.
    fn measured(&self) -> Option<&Arc<Restorer>> {
        if let Self::Loaded { restorer, speed: Some(_) } = self { Some(restorer) } else { None }
    }
}

impl Dialog<'_> {
    /// Begins to load the chosen model, and shows what it is.
    pub(super) fn load_model(&self) {
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
    pub(super) fn tick(&self) {
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

    /// The dialog may be confirmed before the model is loaded.
    pub(super) fn wait_for_model(&self) {
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
    pub(super) fn show_cost(&self) {
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
