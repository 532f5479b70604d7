//! The plug-ins in OpenFX hosts: one in C that asks whatever the standard allows, and melt. The same pixels as the command's of KDS,
//! and errors that the host survives.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image::DynamicImage;
use kds_parameters::{Group, Kind, table};
use kds_tests::c::{Language, Program, printed};
use kds_tests::command::{built, kds};
use kds_tests::melt::Melt;
use kds_tests::pairs::small_picture;
use kds_tests::worker;
use tempfile::TempDir;
use xtask::install::{Tree, openfx};

const RESTORE: &str = "io.github.kds-restore.restore";
const INPAINT: &str = "io.github.kds-restore.inpaint";
const OF_COMMAND: [&str; 6] = ["--particles", "2", "--steps", "2", "--seed", "5"];
const OF_HOST: [&str; 3] = ["p.particles=2", "p.steps=2", "p.seed=5"];
/// Size of the picture.
const SIZE: (u32, u32) = (25, 19);
/// What the host fills its buffers with.
const UNTOUCHED: u8 = 0x33;
const IN_GENERAL: &str = "context=OfxImageEffectContextGeneral";
const RGB: &str = "components=OfxImageComponentRGB";
const FLOAT: &str = "depth=OfxBitDepthFloat";
const SHORT: &str = "depth=OfxBitDepthShort";

/// Samples of a picture, between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
struct Samples {
    channels: usize,
    values: Vec<f32>,
}

impl Samples {
    fn of(picture: &DynamicImage, channels: usize) -> Self {
        let values = match channels {
            3 => picture.to_rgb32f().into_raw(),
            _ => picture.to_rgba32f().into_raw(),
        };
        Self { channels, values }
    }

    /// Every sample at its place, from another.
    fn map(&self, of: impl Fn(u32, u32, usize, f32) -> f32) -> Self {
        let place = |index: usize| (index / self.channels % SIZE.0 as usize, index / self.channels / SIZE.0 as usize);
        let values = self.values.iter().enumerate().map(|(index, value)| {
            let (x, y) = place(index);
            of(x as u32, y as u32, index % self.channels, *value)
        });
        Self { channels: self.channels, values: values.collect() }
    }

    fn bytes(&self, options: &[&str]) -> Vec<u8> {
        match () {
            () if options.contains(&FLOAT) => self.values.iter().flat_map(|value| value.to_ne_bytes()).collect(),
            () if options.contains(&SHORT) => {
                self.values.iter().flat_map(|value| ((value * 65535.0).round() as u16).to_ne_bytes()).collect()
            }
            () => self.values.iter().map(|value| (value * 255.0).round() as u8).collect(),
        }
    }

    fn from_bytes(channels: usize, bytes: &[u8], options: &[&str]) -> Self {
        let values = match () {
            () if options.contains(&FLOAT) => {
                bytes.chunks_exact(4).map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap())).collect()
            }
            () if options.contains(&SHORT) => bytes
                .chunks_exact(2)
                .map(|bytes| f32::from(u16::from_ne_bytes(bytes.try_into().unwrap())) / 65535.0)
                .collect(),
            () => bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect(),
        };
        Self { channels, values }
    }
}

/// All samples differ by no more than a grey level of 255.
fn agree(ours: &Samples, theirs: &Samples) {
    assert_eq!((ours.channels, ours.values.len()), (theirs.channels, theirs.values.len()));
    let worst = ours.values.iter().zip(&theirs.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1.02 / 255.0, "{} of 255", worst * 255.0);
}

/// A folder with pictures, an installed bundle, a host, and the socket of a worker that ends soon.
struct Session {
    folder: TempDir,
    host: PathBuf,
    bundle: PathBuf,
}

/// What the host has printed, and the result of its last frame.
struct Rendered {
    said: String,
    result: Samples,
}

impl Rendered {
    /// Status of each frame, and how often it was asked whether the host has given the frame up, which is once a step.
    fn frames(&self) -> Vec<(i32, u32)> {
        let line = |line: &str| {
            let (status, asked) = line.strip_prefix("render ")?.split_once(" asked ")?;
            Some((status.parse().ok()?, asked.parse().ok()?))
        };
        self.said.lines().filter_map(line).collect()
    }

    /// The result of frames without an error.
    fn good(self) -> Samples {
        assert!(
            self.frames().iter().all(|(status, _)| *status == 0) && !self.said.contains("message"),
            "{}",
            self.said
        );
        self.result
    }
}

impl Session {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // `cargo xtask install --nodes`, of what lies in the build folder.
        let prefix = folder.path().join("prefix");
        let mut tree = Tree::default();
        openfx::add(&mut tree, fs::read(built(openfx::LIBRARY).unwrap()).unwrap());
        tree.write(&prefix).unwrap();
        fs::create_dir(prefix.join("bin")).unwrap();
        symlink(built("kds").unwrap(), prefix.join("bin/kds")).unwrap();
        let bundle = prefix.join(openfx::FOLDER).join("kds.ofx.bundle/Contents");
        assert!(bundle.join("Info.plist").exists());
        // The headers of the standard lie beside it; nothing of KDS is linked.
        let host = Program::new(Language::C, "tests/openfx/host.c").headers("tests/openfx/third_party");
        let host = host.flags(&["-Wl,--as-needed"]).compile(folder.path()).unwrap();
        let session = Self { folder, host, bundle: bundle.join("Linux-x86-64/kds.ofx") };
        session.photograph().save(session.path("in.png")).unwrap();
        session
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A small photograph of odd sides.
    fn photograph(&self) -> DynamicImage {
        image::imageops::crop_imm(&small_picture().unwrap(), 0, 0, SIZE.0, SIZE.1).to_image().into()
    }

    /// Result of `kds` for one of the pictures.
    fn expected(&self, input: &str, model: &str, arguments: &[&str]) -> DynamicImage {
        let output = self.path("expected.png");
        let mut command = kds().unwrap();
        command.arg("restore").arg(self.path(input)).arg("-o").arg(&output).args(["--model", model, "--overwrite"]);
        let run = command.args(OF_COMMAND).args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        image::open(output).unwrap()
    }

    /// The host with a plug-in.
    fn host(&self, plug_in: &str, what: &str) -> Command {
        let mut command = Command::new(&self.host);
        for variable in ["KDS_WORKER", "KDS_REGISTRY"] {
            command.env_remove(variable);
        }
        command.env("XDG_RUNTIME_DIR", self.folder.path()).env("XDG_CONFIG_HOME", self.path("config"));
        command.env("KDS_WORKER_IDLE", "10").current_dir(self.folder.path());
        command.arg(&self.bundle).args([plug_in, what]);
        command
    }

    /// Lines of the host's description of a plug-in.
    fn described(&self, plug_in: &str, context: &str) -> Vec<String> {
        let output = self.host(plug_in, "describe").arg(context).output().unwrap();
        assert!(output.status.success(), "{}", printed(&output));
        printed(&output).lines().map(str::to_owned).collect()
    }

    /// Renders a picture.
    fn render(&self, plug_in: &str, input: &Samples, options: &[&str]) -> Rendered {
        fs::write(self.path("in.raw"), input.bytes(options)).unwrap();
        let mut command = self.host(plug_in, "render");
        command.args(["in=in.raw", "out=out.raw"]).arg(format!("size={}x{}", SIZE.0, SIZE.1));
        let output = command.args(OF_HOST).args(options).output().unwrap();
        assert!(output.status.success(), "{options:?}: {}\n{}", output.status, printed(&output));
        let bytes = fs::read(self.path("out.raw")).unwrap();
        Rendered { said: printed(&output), result: Samples::from_bytes(input.channels, &bytes, options) }
    }
}

#[test]
fn plug_ins_describe_themselves_by_the_table() {
    let session = Session::new();
    for (plug_in, context) in [
        (RESTORE, "OfxImageEffectContextFilter"),
        (RESTORE, "OfxImageEffectContextGeneral"),
        (INPAINT, "OfxImageEffectContextGeneral"),
    ] {
        let lines = session.described(plug_in, context);
        let of = |start: &str| -> Vec<&str> {
            let line = lines.iter().find_map(|line| line.strip_prefix(start));
            line.unwrap_or_else(|| panic!("{start}: {lines:?}")).split('|').skip(1).collect()
        };
        let effect = |property: &str| of(&format!("effect {plug_in} {property}"));
        let both = ["OfxImageEffectContextFilter", "OfxImageEffectContextGeneral"];
        assert_eq!(effect("OfxImageEffectPropSupportedContexts"), both);
        let depths = ["OfxBitDepthByte", "OfxBitDepthShort", "OfxBitDepthFloat"];
        assert_eq!(effect("OfxImageEffectPropSupportedPixelDepths"), depths);
        assert_eq!(effect("OfxImageEffectPropSupportsTiles"), ["0"]);
        assert_eq!(effect("OfxPropVersionLabel"), [env!("CARGO_PKG_VERSION")]);
        let mask = lines.iter().any(|line| line.starts_with("clip Mask "));
        assert_eq!(mask, context == "OfxImageEffectContextGeneral");
        if mask {
            assert_eq!(of("clip Mask OfxImageClipPropOptional"), ["1"]);
            assert_eq!(of("clip Mask OfxImageClipPropIsMask"), ["1"]);
        }
        let pages = [of("parameter controls OfxParamPropPageChild"), of("parameter advanced OfxParamPropPageChild")];
        assert_eq!(pages[0][0], "model");
        assert_eq!(of("parameter linear type"), ["OfxParamTypeBoolean"]);
        let mut number = 2;
        for parameter in table().iter().filter(|parameter| !["map", "scale"].contains(&parameter.name)) {
            let property = |property: &str| of(&format!("parameter {} {property}", parameter.name));
            assert_eq!(property("OfxPropLabel"), [parameter.title]);
            assert!(property("OfxParamPropHint").join("|").starts_with(parameter.help), "{}", parameter.name);
            assert_eq!(
                pages[usize::from(parameter.group == Group::Advanced)]
                    .iter()
                    .filter(|of| **of == parameter.name)
                    .count(),
                1
            );
            let (kind, default, max) = match parameter.kind {
                Kind::Integer { .. } if parameter.name == "seed" => ("Integer", "0".to_owned(), i32::MAX.to_string()),
                Kind::Integer { min, max } => ("Integer", (min - 1).to_string(), max.to_string()),
                Kind::Number { min, max } => ("Double", (min - 1.0).to_string(), max.to_string()),
                Kind::Choice(words) => {
                    let options = [&["model"], words].concat();
                    assert_eq!(property("OfxParamPropChoiceOption"), options);
                    ("Choice", "0".to_owned(), String::new())
                }
                _ => ("String", String::new(), String::new()),
            };
            assert_eq!(property("type"), [format!("OfxParamType{kind}")]);
            assert_eq!(property("OfxParamPropDefault"), [default]);
            if !max.is_empty() {
                assert_eq!(property("OfxParamPropMax"), [max]);
            }
            number += 1;
        }
        assert_eq!(pages.concat().len(), number);
    }
    // Hosts open what they find, ask, and close it again.
    let output = session.host(RESTORE, "scan").arg("10").output().unwrap();
    assert!(output.status.success() && printed(&output).contains("scanned"), "{}", printed(&output));
}

#[test]
fn pictures_become_what_the_command_makes_of_them() {
    let session = Session::new();
    let expected = session.expected("in.png", "kds-photo-x1", &[]);
    let (rgb, rgba) = (Samples::of(&session.photograph(), 3), Samples::of(&session.photograph(), 4));
    let (want, want_rgba) = (Samples::of(&expected, 3), Samples::of(&expected, 4));
    let restored = |input: &Samples, options: &[&str]| session.render(RESTORE, input, options).good();
    for depth in ["depth=OfxBitDepthByte", SHORT, FLOAT] {
        agree(&restored(&rgb, &[depth, RGB, "rows=up"]), &want);
        agree(&restored(&rgba, &[depth, "rows=down", "origin=-7,100"]), &want_rgba);
    }
    // Nothing was rounded to 8 bits on the way.
    let fine = restored(&rgb, &[FLOAT, RGB]);
    assert!(fine.values.iter().any(|value| (value * 255.0 - (value * 255.0).round()).abs() > 0.1));

    // Alpha stays, whether colours are multiplied by it or not; of opaque pictures it means nothing.
    let alpha = |x: u32, y: u32| (40 + 5 * x + 4 * y) as f32 / 255.0;
    let straight = rgba.map(|x, y, channel, value| if channel == 3 { alpha(x, y) } else { value });
    let picture = image::RgbaImage::from_raw(SIZE.0, SIZE.1, straight.bytes(&[])).unwrap();
    picture.save(session.path("alpha.png")).unwrap();
    let want_alpha = Samples::of(&session.expected("alpha.png", "kds-photo-x1", &[]), 4);
    agree(&restored(&straight, &[]), &want_alpha);
    let times_alpha =
        |samples: &Samples| samples.map(|x, y, channel, value| if channel == 3 { value } else { value * alpha(x, y) });
    let multiplied = ["premultiplication=OfxImageAlphaPremultiplied", FLOAT];
    agree(&restored(&times_alpha(&straight), &multiplied), &times_alpha(&want_alpha));
    let opaque = rgba.map(|_, _, channel, value| if channel == 3 { 0.0 } else { value });
    agree(&restored(&opaque, &["premultiplication=OfxImageOpaque"]), &want_rgba);

    // Linear light becomes and stays linear.
    let light = |value: f32| if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
    let values = |samples: &Samples| samples.map(|_, _, _, value| light(value));
    agree(&restored(&values(&rgb), &[FLOAT, RGB, "p.linear=1"]), &values(&fine));

    // What lies beyond the range is carried over.
    let is_bright = |x: u32, y: u32| x > 20 && y < 5;
    let bright = rgb.map(|x, y, _, value| if is_bright(x, y) { 3.0 + value } else { value });
    let result = restored(&bright, &[FLOAT, RGB]);
    let clipped = restored(&bright.map(|_, _, _, value| value.min(1.0)), &[FLOAT, RGB]);
    let above = bright.map(|_, _, _, value| (value - 1.0).max(0.0));
    let sum: Vec<f32> = clipped.values.iter().zip(&above.values).map(|(a, b)| a + b).collect();
    agree(&result, &Samples { channels: 3, values: sum });
}

#[test]
fn parts_and_smaller_pictures_are_rendered() {
    let session = Session::new();
    let rgba = Samples::of(&session.photograph(), 4);
    let whole = session.render(RESTORE, &rgba, &["origin=-7,100"]).good();
    // Upwards from the lower left corner at -7, 100.
    let part = session.render(RESTORE, &rgba, &["origin=-7,100", "window=-3,104,9,110"]);
    assert!(
        part.said.contains("definition -7 100 18 119") && part.said.contains("interest Source -7 100 18 119"),
        "{}",
        part.said
    );
    let inside = |x: u32, y: u32| (4..16).contains(&x) && (9..15).contains(&y);
    let wanted = whole.map(|x, y, _, value| if inside(x, y) { value } else { f32::from(UNTOUCHED) / 255.0 });
    assert_eq!(part.good(), wanted);
    // A preview of half the size, and the rectangles of the whole.
    let preview = session.render(RESTORE, &rgba, &["scale=0.5"]);
    assert!(preview.said.contains("definition 0 0 50 38"), "{}", preview.said);
    agree(&preview.good(), &whole);

    // Where there is no picture, the result is black and transparent.
    let mut nothing = session.host(RESTORE, "render");
    let output = nothing.args(["out=out.raw", "size=25x19"]).output().unwrap();
    assert!(printed(&output).contains("render 0 asked 0"), "{}", printed(&output));
    assert!(fs::read(session.path("out.raw")).unwrap().iter().all(|byte| *byte == 0));
}

#[test]
fn a_frame_is_computed_once_until_something_changes() {
    let session = Session::new();
    let rgb = Samples::of(&session.photograph(), 3);
    let frames = |options: &[&str]| {
        let rendered = session.render(RESTORE, &rgb, &[&[RGB][..], options].concat());
        let frames = rendered.frames();
        rendered.good();
        frames.into_iter().map(|(_, asked)| asked).collect::<Vec<_>>()
    };
    for options in [&["times=3"][..], &["times=3", "anew=1"]] {
        let asked = frames(options);
        assert!(asked[0] > 1 && asked[1..] == [0, 0], "{options:?}: {asked:?}");
    }
    assert!(frames(&["times=2", "then.steps=3"]).iter().all(|asked| *asked > 1));
    assert!(frames(&["times=2", "purge=1"]).iter().all(|asked| *asked > 1));
    // Four instances that ask for the same frame at once.
    let asked = frames(&["times=0", "p.steps=4", "threads=4"]);
    assert_eq!(asked.len(), 4);
}

#[test]
fn a_frame_that_the_host_gives_up_ends_within_a_step() {
    let session = Session::new();
    let rgb = Samples::of(&session.photograph(), 3);
    let long = ["p.steps=1000", "p.particles=8", "abort=3"];
    let quick = ["times=2", "then.steps=2", "then.particles=2"];
    let rendered = session.render(RESTORE, &rgb, &[&[RGB][..], &long, &quick].concat());
    let frames = rendered.frames();
    // What was on its way when it was given up is still told.
    assert!(frames[0].0 == 1 && (3..20).contains(&frames[0].1), "{}", rendered.said);
    assert!(frames[1].0 == 0 && !rendered.said.contains("message"), "{}", rendered.said);
    agree(&rendered.result, &Samples::of(&session.expected("in.png", "kds-photo-x1", &[]), 3));
}

#[test]
fn masks_say_what_is_filled_and_what_is_restored() {
    let session = Session::new();
    let (rgb, rgba) = (Samples::of(&session.photograph(), 3), Samples::of(&session.photograph(), 4));
    let is_hole = |x: u32, y: u32| x > 8 && y < 10;
    let mask = image::GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| image::Luma([if is_hole(x, y) { 255 } else { 0 }]));
    mask.save(session.path("mask.png")).unwrap();
    let expected = session.expected("in.png", "kds-inpaint", &["--mask", "mask.png"]);
    let (filled, filled_rgba) = (Samples::of(&expected, 3), Samples::of(&expected, 4));

    fs::write(session.path("mask.raw"), mask.as_raw()).unwrap();
    let masked = [IN_GENERAL, RGB, "mask=mask.raw"];
    let rendered = session.render(INPAINT, &rgb, &masked);
    assert!(rendered.said.contains("interest Mask 0 0 25 19"), "{}", rendered.said);
    agree(&rendered.good(), &filled);
    agree(&session.render(INPAINT, &rgb, &[&masked[..], &["rows=up", "origin=3,4"]].concat()).good(), &filled);
    // A mask in colours counts as far as it is bright and opaque.
    let colours: Vec<u8> = mask.as_raw().iter().flat_map(|value| [*value, *value, *value, 255]).collect();
    fs::write(session.path("mask.raw"), colours).unwrap();
    let coloured = [IN_GENERAL, "mask=mask.raw", "mask_components=OfxImageComponentRGBA"];
    agree(&session.render(INPAINT, &rgba, &coloured).good(), &filled_rgba);

    // Of a picture that is restored, the mask takes a part; the rest stays to the last bit.
    let whole = session.render(RESTORE, &rgba, &[]).good();
    let part = session.render(RESTORE, &rgba, &coloured).good();
    let index = |x: u32, y: u32, channel: usize| (y as usize * SIZE.0 as usize + x as usize) * 4 + channel;
    let wanted =
        rgba.map(|x, y, channel, value| if is_hole(x, y) { whole.values[index(x, y, channel)] } else { value });
    assert_eq!(part, wanted);

    // Without a mask, what is transparent is filled and becomes opaque; a filter has none.
    let holes = rgba.map(|x, y, channel, value| if channel == 3 && is_hole(x, y) { 0.0 } else { value });
    for options in [&[IN_GENERAL][..], &[], &[FLOAT]] {
        agree(&session.render(INPAINT, &holes, options).good(), &filled_rgba);
    }
    // Frames of a clip that have nothing to fill pass as they are.
    let rendered = session.render(INPAINT, &rgba, &[]);
    assert_eq!(rendered.frames(), [(0, 0)]);
    assert_eq!(rendered.good(), rgba);
}

#[test]
fn errors_are_told_and_the_next_frame_is_rendered() {
    let session = Session::new();
    let rgb = Samples::of(&session.photograph(), 3);
    let refused = |plug_in: &str, options: &[&str], status: i32, words: &[&str]| {
        let rendered = session.render(plug_in, &rgb, &[&[RGB][..], options].concat());
        assert_eq!(rendered.frames()[0].0, status, "{options:?}: {}", rendered.said);
        let told = rendered.said.lines().find(|line| line.starts_with("message OfxMessageError: "));
        let told = told.unwrap_or_else(|| panic!("{options:?}: {}", rendered.said));
        assert!(words.iter().all(|word| told.contains(word)), "{options:?}: {told}");
        rendered
    };
    let models = ["there is no model 'none'", "choose one of: kds-photo-x1"];
    let twice = refused(RESTORE, &["p.model=none", "times=2", "then.model=kds-photo-x1"], 1, &models);
    assert_eq!(twice.frames()[1].0, 0, "{}", twice.said);
    agree(&twice.result, &Samples::of(&session.expected("in.png", "kds-photo-x1", &[]), 3));
    refused(RESTORE, &["p.model=kds-photo-x4"], 1, &["there is no model 'kds-photo-x4' for restoration"]);
    refused(RESTORE, &["p.bandwidth=wide"], 1, &["bandwidth", "'wide'"]);
    refused(RESTORE, &["p.device=cuda:99"], 1, &["cuda"]);
    // Hosts may free memory and try again.
    refused(RESTORE, &["p.memory=100KiB"], 8, &["memory"]);
    refused(INPAINT, &[], 1, &["connect a mask"]);
    let half =
        session.host(RESTORE, "render").args(["in=in.raw", "size=9x9", "depth=OfxBitDepthHalf"]).output().unwrap();
    assert!(printed(&half).contains("render 1000") && printed(&half).contains("OfxBitDepthHalf"), "{}", printed(&half));
    let mut without_kds = session.host(RESTORE, "render");
    without_kds.args(["in=in.raw", "size=9x9"]).env("KDS_WORKER", "/nowhere/kds");
    let told = printed(&without_kds.output().unwrap());
    assert!(told.contains("render 1 ") && told.contains("/nowhere/kds"), "{told}");
}

#[test]
fn a_killed_worker_costs_one_frame() {
    let session = Session::new();
    let rgb = Samples::of(&session.photograph(), 3);
    fs::write(session.path("in.raw"), rgb.bytes(&[])).unwrap();
    let mut host = session.host(RESTORE, "render");
    host.args(["in=in.raw", "out=out.raw", "size=25x19", RGB, "p.steps=1000", "p.particles=8", "p.seed=5"]);
    host.args(["times=2", "then.steps=2", "then.particles=2"]).stdout(Stdio::piped());
    let host = host.spawn().unwrap();
    worker::kill(worker::in_the_middle(session.folder.path()));
    let output = host.wait_with_output().unwrap();
    let said = printed(&output);
    assert!(output.status.success() && said.contains("render 1 ") && said.contains("render 0 "), "{said}");
    assert!(said.contains("message OfxMessageError: ") && said.contains("worker"), "{said}");
    let result = Samples::from_bytes(3, &fs::read(session.path("out.raw")).unwrap(), &[]);
    agree(&result, &Samples::of(&session.expected("in.png", "kds-photo-x1", &[]), 3));
}

#[test]
fn melt_restores_a_clip() {
    let (session, melt) = (Session::new(), Melt::new(SIZE).unwrap());
    // Two pictures, of which the first is shown three times.
    let other = session.photograph().fliph();
    other.save(session.path("other.png")).unwrap();
    for name in ["in.png", "other.png"] {
        fs::copy(session.path(name), melt.path(name)).unwrap();
    }
    let clip = ["-silent", "avformat:in.png", "in=0", "out=0", "-repeat", "3", "avformat:other.png", "in=0", "out=0"];
    let filter = ["-filter", &format!("openfx.{RESTORE}"), "particles=2", "steps=2", "seed=5"].map(str::to_owned);
    let consumer = ["-consumer", "avformat:out-%d.png", "vcodec=png", "pix_fmt=rgb24", "mlt_image_format=rgba", "an=1"];
    let run = |more: &[&str]| {
        let output = melt.command().unwrap().args(clip).args(&filter).args(more).args(consumer).output().unwrap();
        assert!(output.status.success(), "{}", printed(&output));
        let told = printed(&output);
        assert_eq!(told.contains("OfxMessageError"), !more.is_empty(), "{told}");
        assert_eq!(told.contains("there is no model 'none'"), !more.is_empty(), "{told}");
        (1..=4).map(|n| image::open(melt.path(&format!("out-{n}.png"))).unwrap()).collect::<Vec<_>>()
    };
    let frames = run(&[]);
    let expected = ["in.png", "in.png", "in.png", "other.png"].map(|of| session.expected(of, "kds-photo-x1", &[]));
    for (frame, expected) in frames.iter().zip(&expected) {
        agree(&Samples::of(frame, 3), &Samples::of(expected, 3));
    }
    // What cannot be restored passes as it is, and melt goes on.
    let passed = run(&["model=none"]);
    agree(&Samples::of(&passed[0], 3), &Samples::of(&session.photograph(), 3));
    the_example_restores_a_clip(&session, &melt);
}

/// Runs `examples/nodes/melt.sh` with a melt on the path that is the one in the Debian root.
fn the_example_restores_a_clip(session: &Session, melt: &Melt) {
    let programs = session.path("programs");
    fs::create_dir(&programs).unwrap();
    let quoted: String = melt
        .command()
        .unwrap()
        .get_args()
        .map(|argument| format!(" '{}'", argument.to_str().unwrap().replace('\'', r"'\''")))
        .collect();
    fs::write(programs.join("melt"), format!("#!/bin/sh\nexec unshare{quoted} \"$@\"\n")).unwrap();
    fs::set_permissions(programs.join("melt"), fs::Permissions::from_mode(0o755)).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/nodes/melt.sh");
    let run = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        let found = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(std::iter::once(programs.clone()).chain(std::env::split_paths(&found))).unwrap();
        command.arg(&example).args(arguments).env("PATH", path).current_dir(melt.folder()).output().unwrap()
    };
    // Films have even sides.
    let even = (24, 18);
    melt.set_size(even).unwrap();
    session.photograph().crop_imm(0, 0, even.0, even.1).save(session.path("even.png")).unwrap();
    fs::copy(session.path("even.png"), melt.path("even.png")).unwrap();
    let made = |input: &str, output: &[&str]| {
        let input = ["-silent", input, "in=0", "out=0", "-consumer"];
        assert!(melt.command().unwrap().args(input).args(output).arg("an=1").status().unwrap().success());
    };
    made("avformat:even.png", &["avformat:clip.mkv", "vcodec=ffv1"]);
    let done = run(&["clip.mkv", "restored.mkv", "particles=2", "steps=2", "seed=5"]);
    assert!(done.status.success() && printed(&done).trim() == "restored.mkv", "{}", printed(&done));
    made("avformat:restored.mkv", &["avformat:film-%d.png", "vcodec=png", "pix_fmt=rgb24"]);
    let film = Samples::of(&image::open(melt.path("film-1.png")).unwrap(), 3);
    let expected = Samples::of(&session.expected("even.png", "kds-photo-x1", &[]), 3);
    // As far as a film of fewer colours than pixels goes.
    let away: f32 = film.values.iter().zip(&expected.values).map(|(a, b)| (a - b).abs()).sum();
    assert!(away < 0.06 * expected.values.len() as f32, "{away}");
    let refused = run(&["clip.mkv", "refused.mkv", "model=none"]);
    assert!(!refused.status.success() && printed(&refused).contains("no model 'none'"), "{}", printed(&refused));
    assert!(!melt.path("refused.mkv").exists());
}
