//! A model of one's own: what its registry entry says holds until a call says otherwise.

use image::RgbImage;
use kds_host::{Channels, Context, ContextOptions, ImageMut, ImageRef, Library, Status};
use kds_tests::pairs;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/residual_x1");

fn context(defaults: &str) -> Result<Context, kds_host::Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let entry = format!(
        "[[model]]\nid = \"own\"\ntitle = \"My own\"\ntask = \"restoration\"\nscale = 1\nbackbone = \"residual\"\n\
         path = \"{MODEL}\"\n[model.defaults]\n{defaults}\n"
    );
    std::fs::write(file.path(), entry).unwrap();
    let options = ContextOptions { registry: Some(file.path().to_owned()), ..Default::default() };
    Context::new(&Library::open().unwrap(), &options)
}

#[test]
fn defaults_of_a_model_hold_until_the_call_says_otherwise() {
    let context = context("dtype = \"f32\"\ndevice = \"cpu\"\nparticles = 3").unwrap();
    let opened = |dtype| context.open_model("own", None, dtype).unwrap();
    assert_eq!(opened(None).device().unwrap(), ("cpu".to_owned(), "f32".to_owned()));
    assert_eq!(opened(Some("bf16")).device().unwrap(), ("cpu".to_owned(), "bf16".to_owned()));
    let mut job = opened(None).new_job().unwrap();
    assert_eq!(job.get("particles").unwrap(), "3");
    job.set("particles", "4").unwrap();
    assert_eq!(job.get("particles").unwrap(), "4");
}

#[test]
fn a_default_that_cannot_be_is_refused_with_the_registry() {
    for (wrong, expected) in
        [("dtype = \"f64\"", "'dtype' cannot be 'f64'"), ("device = \"gpu\"", "'device' cannot be 'gpu'")]
    {
        let error = context(wrong).err().unwrap();
        let message = error.to_string();
        assert!(error.status == Status::InvalidRegistry && message.contains(expected), "{message}");
    }
}

#[test]
fn an_exported_file_is_a_model() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let exported = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/torchscript.pt");
    let entry = format!(
        "[[model]]\nid = \"exported\"\ntitle = \"Exported\"\ntask = \"super-resolution\"\nscale = 2\n\
         backbone = \"torchscript\"\npath = \"{exported}\"\nallow_code = true\n[model.defaults]\nsteps = 2\nparticles = 3\n"
    );
    std::fs::write(file.path(), entry).unwrap();
    let options = ContextOptions { registry: Some(file.path().to_owned()), ..Default::default() };
    let context = Context::new(&Library::open().unwrap(), &options).unwrap();
    let mut job = context.open_model("exported", Some("cpu"), None).unwrap().new_job().unwrap();
    let picture = pairs::small_picture().unwrap();
    let (width, height) = picture.dimensions();
    let mut restored = RgbImage::new(2 * width, 2 * height);
    let input = ImageRef::packed(picture.as_raw(), Channels::Rgb, width, height).unwrap();
    let output = ImageMut::packed(&mut restored, Channels::Rgb, 2 * width, 2 * height).unwrap();
    job.run(input, None, output, None, None).unwrap();
    // Its random weights draw something, and the whole of it.
    let values = |columns: std::ops::Range<u32>| -> std::collections::BTreeSet<u8> {
        columns.flat_map(|x| restored.get_pixel(x, height).0).collect()
    };
    assert!(values(0..width).len() > 3 && values(width..2 * width).len() > 3);
}
