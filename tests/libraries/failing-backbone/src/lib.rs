//! For tests: all of `libkds.so`, and a function that gives a model whose network panics.

use std::ptr::{null, null_mut};

use kds::{kds_context, kds_context_new, kds_model, kds_model_open};
use kds_engine::Result;
use kds_engine::backbone::{Backbone, Prompt, Session, Spec};
use kds_engine::schedule::Level;
use kds_plugin_api::restorer::interface::ModelObject;
use tch::Tensor;

/// For the Rust interface: the built-in model, with a network that panics at the second step of each run.
#[unsafe(no_mangle)]
pub extern "C" fn failing_model() -> ModelObject {
    kds::rust_interface::model_object(open())
}

/// For C: the same, to be freed with `kds_model_free`.
#[unsafe(no_mangle)]
pub extern "C" fn kds_test_failing_model() -> *mut kds_model {
    Box::into_raw(open())
}

/// For C: the built-in model, with a network that panics when it is freed.
#[unsafe(no_mangle)]
pub extern "C" fn kds_test_model_that_cannot_end() -> *mut kds_model {
    let mut model = open();
    let spec = model.backbone().spec().clone();
    model.set_backbone(Box::new(CannotEnd(Failing { spec })));
    Box::into_raw(model)
}

fn open() -> Box<kds_model> {
    let mut context: *mut kds_context = null_mut();
    let mut model: *mut kds_model = null_mut();
    // SAFETY: valid arguments; the model is owned by nobody else.
    let mut model = unsafe {
        assert_eq!(kds_context_new(null(), &raw mut context, null_mut()), 0);
        let id = c"kds-photo-x4".as_ptr();
        assert_eq!(kds_model_open(context, id, c"cpu".as_ptr(), c"f32".as_ptr(), &raw mut model, null_mut()), 0);
        kds::kds_context_free(context);
        Box::from_raw(model)
    };
    let spec = model.backbone().spec().clone();
    model.set_backbone(Box::new(Failing { spec }));
    model
}

struct CannotEnd(Failing);

impl Drop for CannotEnd {
    fn drop(&mut self) {
        panic!("the network fell over its own feet");
    }
}

impl Backbone for CannotEnd {
    fn spec(&self) -> &Spec {
        self.0.spec()
    }

    fn open<'a>(&'a self, image: &Tensor, mask: Option<&Tensor>, prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        self.0.open(image, mask, prompt)
    }
}

struct Failing {
    spec: Spec,
}

impl Backbone for Failing {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, _image: &Tensor, _mask: Option<&Tensor>, _prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        Ok(Box::new(FailingSession))
    }
}

struct FailingSession;

impl Session for FailingSession {
    fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
        // The first step is at the end of the noise schedule.
        if level.timestep < 900.0 {
            panic!("the network fell over");
        }
        Ok(x.shallow_clone())
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        Ok(latents.shallow_clone())
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        Vec::new()
    }
}
