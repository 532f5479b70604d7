//! Where memory runs out all the same: fewer particles at once, then smaller tiles, and nothing is done twice.

#[path = "reference/pixels.rs"]
mod pixels;

use std::sync::{Arc, Mutex};

use kds_engine::backbone::{Backbone, Prompt, Session, Spec};
use kds_engine::picture::Picture;
use kds_engine::restore::{Restored, restore};
use kds_engine::schedule::Level;
use kds_engine::settings::{Resolved, Settings};
use kds_engine::{Error, Result};
use tch::{TchError, Tensor};

const STAGES: [&str; 3] = ["open", "predict", "decode"];

/// A stage, the particles, height and width of its tile.
type Call = (&'static str, usize, usize, usize);

/// A model of single pixels, so that no tiling shows in what it gives. It fails as libtorch does where `refuses` says so.
struct Pixels {
    spec: Spec,
    calls: Arc<Mutex<Vec<Call>>>,
    refuses: Box<dyn Fn(usize, Call) -> bool + Send + Sync>,
}

impl Pixels {
    /// `refuses` is told how many calls there were, and the call.
    fn new(multiple: usize, refuses: impl Fn(usize, Call) -> bool + Send + Sync + 'static) -> Self {
        Self { spec: pixels::spec(multiple), calls: Arc::default(), refuses: Box::new(refuses) }
    }

    fn call(&self, stage: &'static str, tensor: &Tensor) -> Result<()> {
        let (particles, _, height, width) = tensor.size4()?;
        let call = (stage, particles as usize, height as usize, width as usize);
        let mut calls = self.calls.lock().unwrap();
        // The model is measured with zeros, which is no part of a run.
        if tensor.f_abs()?.f_max()?.f_double_value(&[])? == 0.0 {
            return Ok(());
        }
        calls.push(call);
        if (self.refuses)(calls.len(), call) {
            let text = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4398046511104 bytes.";
            return Err(Error::from(TchError::Torch(text.to_owned())));
        }
        Ok(())
    }

    fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Backbone for Pixels {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn open<'a>(&'a self, image: &Tensor, _mask: Option<&Tensor>, _prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
        self.call(STAGES[0], image)?;
        Ok(Box::new(PixelsSession { model: self, image: image.shallow_clone() }))
    }
}

struct PixelsSession<'a> {
    model: &'a Pixels,
    image: Tensor,
}

impl Session for PixelsSession<'_> {
    fn predict(&self, x: &Tensor, _level: &Level) -> Result<Tensor> {
        self.model.call(STAGES[1], x)?;
        Ok(x.f_mul_scalar(0.2)?.f_add(&self.image)?)
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.model.call(STAGES[2], latents)?;
        Ok(latents.shallow_clone())
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.image]
    }
}

fn picture() -> Picture {
    let (width, height) = (300, 150);
    Picture { width, height, values: (0..3 * width * height).map(|index| (index % 251) as f32 / 250.0).collect() }
}

fn settings(values: &[(&str, &str)]) -> Resolved {
    let mut settings = Settings::default();
    for (name, value) in [("particles", "4"), ("steps", "2"), ("tile", "128")].iter().chain(values) {
        settings.set(name, value).unwrap();
    }
    settings.resolve().unwrap()
}

fn run(model: &Pixels, settings: &Resolved) -> Result<Restored> {
    // So many that all particles of a tile are worth one batch.
    tch::set_num_threads(32);
    restore(model, settings, (&picture()).into(), true, &mut |_| Ok(()))
}

/// Pictures and maps are the same but for rounding where tiles are blended.
fn same(a: &Restored, b: &Restored) {
    let values = |restored: &Restored| {
        restored.picture.values.iter().chain(restored.confidence.as_ref().unwrap()).copied().collect::<Vec<_>>()
    };
    let worst = values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Ensembles wait in half precision.
    assert!(worst < 2e-3, "{worst}");
}

#[test]
fn the_batch_is_lowered_first_and_then_the_tiles_and_the_result_is_the_same() {
    for selection in ["nearest", "mean"] {
        let settings = settings(&[("selection", selection)]);
        let free = Pixels::new(8, |_, _| false);
        let expected = run(&free, &settings).unwrap();
        let calls = free.take_calls();
        let tiles = calls.iter().filter(|(stage, ..)| *stage == "open").count();
        assert!(tiles >= 4, "{tiles} tiles show nothing");

        // No more than two particles of a whole tile: the batch is halved, the tiles stay.
        let whole = calls[0].2 * calls[0].3;
        let more_than = |limit: usize| {
            move |_, (stage, particles, height, width)| stage == "predict" && particles * height * width > limit
        };
        let less = Pixels::new(8, more_than(2 * whole));
        same(&run(&less, &settings).unwrap(), &expected);
        let calls = less.take_calls();
        let batches: Vec<usize> = calls.iter().filter(|(stage, ..)| *stage == "predict").map(|call| call.1).collect();
        assert_eq!(batches[0], 4);
        assert!(batches[1..].iter().all(|batch| *batch == 2), "{batches:?}");
        assert_eq!(calls.iter().filter(|(stage, ..)| *stage == "open").count(), tiles + 1);

        // Not even one particle of a whole tile: the tiles are cut.
        let least = Pixels::new(8, more_than(whole / 2));
        same(&run(&least, &settings).unwrap(), &expected);
        let calls = least.take_calls();
        let refused: Vec<usize> =
            calls.iter().filter(|call| call.0 == "predict" && call.2 * call.3 > whole / 2).map(|call| call.1).collect();
        assert_eq!(refused, [4, 2, 1]);
    }
}

#[test]
fn finished_tiles_are_kept() {
    let settings = settings(&[]);
    let free = Pixels::new(8, |_, _| false);
    let expected = run(&free, &settings).unwrap();
    let calls = free.take_calls();
    // Wherever memory runs out once, only the tile that it ran out in is begun again.
    for failing in 1..=calls.len() {
        let model = Pixels::new(8, move |call, _| call == failing);
        same(&run(&model, &settings).unwrap(), &expected);
        let again = model.take_calls();
        let opened = |calls: &[Call]| calls.iter().filter(|call| call.0 == "open").count();
        let (before, failed) = (opened(&calls[..failing]), calls[failing - 1].0);
        // A tile that is decoded in parts is looked at once more in each of them.
        let most = if failed == "decode" { opened(&calls) + 9 } else { opened(&calls) + 1 };
        assert!(opened(&again) <= most, "call {failing}, {failed}: {before} {again:?}");
    }
}

#[test]
fn it_ends_where_nothing_helps() {
    // Patches and multiples that half a tile would be rounded up to again.
    for (multiple, patch) in [(8, "1"), (8, "64"), (8, "33"), (64, "9"), (64, "1")] {
        for stage in STAGES {
            let model = Pixels::new(multiple, move |_, call| call.0 == stage);
            let settings = settings(&[("patch", patch), ("tile", "1024")]);
            let error = run(&model, &settings).unwrap_err();
            assert!(matches!(error, Error::OutOfMemory { .. }), "{multiple} {patch} {stage}: {error}");
            let message = error.to_string();
            assert!(message.starts_with("not enough memory: ") && message.contains("lower 'particles'"), "{message}");
            assert!(model.take_calls().len() < 100, "{multiple} {patch} {stage}");
        }
    }
}

#[test]
fn other_errors_end_the_run_at_once() {
    struct Broken(Pixels);
    impl Backbone for Broken {
        fn spec(&self) -> &Spec {
            self.0.spec()
        }
        fn open<'a>(&'a self, image: &Tensor, mask: Option<&Tensor>, prompt: &Prompt) -> Result<Box<dyn Session + 'a>> {
            Ok(Box::new(BrokenSession(self.0.open(image, mask, prompt)?)))
        }
    }
    struct BrokenSession<'a>(Box<dyn Session + 'a>);
    impl Session for BrokenSession<'_> {
        fn predict(&self, x: &Tensor, level: &Level) -> Result<Tensor> {
            if x.f_abs()?.f_max()?.f_double_value(&[])? > 0.0 {
                return Err(Error::from(TchError::Torch("The size of tensor a (3) must match".to_owned())));
            }
            self.0.predict(x, level)
        }
        fn decode(&self, latents: &Tensor) -> Result<Tensor> {
            self.0.decode(latents)
        }
        fn tensors(&mut self) -> Vec<&mut Tensor> {
            self.0.tensors()
        }
    }
    let model = Broken(Pixels::new(8, |_, _| false));
    let error = restore(&model, &settings(&[]), (&picture()).into(), false, &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("must match"), "{error}");
    let calls = model.0.take_calls();
    assert!(matches!(calls[..], [("open", ..)]), "{calls:?}");
}
