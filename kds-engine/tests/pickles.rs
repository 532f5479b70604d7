//! Files of `torch.save`: what torch reads of them is what we read, and nothing that a file can say runs, panics or takes
//! memory.

#[path = "reference/torch_file.rs"]
mod torch_file;

use std::path::Path;

use kds_engine::nn::names::OwnNames;
use kds_engine::nn::{Loading, MappedFile, Weights};
use safetensors::SafeTensors;
use tch::{Device, Kind, Tensor};
use torch_file::*;

const LOADING: Loading = Loading { device: Device::Cpu, kind: Kind::Double, check_only: false };

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/pickles").join(name)).unwrap()
}

/// The error of a file that must not be read.
fn refusal(bytes: &[u8]) -> String {
    let error = Weights::new(bytes, Path::new("some.pth"), LOADING).err().expect("it was read").to_string();
    assert!(error.starts_with("model file some.pth: ") && !error.contains('\n'), "{error}");
    error
}

/// The only tensor of a file, `w`, of this shape.
fn only(bytes: &[u8], shape: &[i64]) -> Vec<f64> {
    let weights = Weights::new(bytes, Path::new("some.pth"), LOADING).unwrap();
    let tensor = weights.root().tensor("w", shape).unwrap();
    weights.finish().unwrap();
    Vec::try_from(tensor.f_reshape([-1]).unwrap()).unwrap()
}

#[test]
fn tensors_are_what_torch_reads() {
    let expected = golden("expected.safetensors");
    let expected = SafeTensors::deserialize(&expected).unwrap();
    let names: Vec<(&str, &str)> = expected.names().iter().filter_map(|name| name.split_once('/')).collect();
    let files: std::collections::BTreeSet<&str> = names.iter().map(|(file, _)| *file).collect();
    assert_eq!(files.len(), 11);
    for file in files {
        let bytes = golden(file);
        let weights = Weights::new(&bytes, Path::new(file), LOADING).unwrap().named(OwnNames, &[""]);
        for (_, name) in names.iter().filter(|(of, _)| *of == file) {
            let view = expected.tensor(&format!("{file}/{name}")).unwrap();
            let shape: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
            let name = name.trim_start_matches("module.");
            let kind = match view.dtype() {
                safetensors::Dtype::F16 => Kind::Half,
                safetensors::Dtype::BF16 => Kind::BFloat16,
                safetensors::Dtype::F32 => Kind::Float,
                safetensors::Dtype::F64 => Kind::Double,
                safetensors::Dtype::I64 => {
                    // A counter of batches: there, and no float.
                    let error = weights.root().tensor(name, &shape).unwrap_err().to_string();
                    assert!(error.contains("has dtype int64"), "{file}: {error}");
                    continue;
                }
                other => panic!("{other:?}"),
            };
            let expected = Tensor::f_from_data_size(view.data(), &shape, kind).unwrap().to_kind(Kind::Double);
            let found = weights.root().tensor(name, &shape).unwrap();
            assert!(found.f_equal(&expected).unwrap(), "{file}: {name}: {found} is not {expected}");
        }
        weights.finish().unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn pickles_made_by_hand_are_read_as_torch_would() {
    let w = |tensor: Vec<u8>| pickle(dictionary(&[("w", tensor)]));
    let floats: Vec<f32> = (0..12).map(|value| value as f32).collect();
    assert_eq!(only(&file(&w(tensor("0", 12, 3, &[2, 2], &[1, 4])), &floats), &[2, 2]), [3.0, 7.0, 4.0, 8.0]);
    // A file may hold more than its pickle says, and the same storage twice.
    assert_eq!(only(&file(&w(tensor("0", 12, 11, &[], &[])), &floats), &[]), [11.0]);
    // The last of two equal keys, as in Python.
    let twice = dictionary(&[("w", tensor("0", 12, 0, &[1], &[1])), ("w", tensor("0", 12, 5, &[1], &[1]))]);
    assert_eq!(only(&file(&pickle(twice), &floats), &[1]), [5.0]);
    // What is no tensor is passed over: classes, numbers, and a value a million levels deep.
    let deep = [vec![b')'], vec![0x85; 1_000_000]].concat();
    let others = dictionary(&[
        ("a", call("numpy.core.multiarray", "scalar", &[text("x")])),
        ("b", [global("some.project", "Config"), b")\x81}(".to_vec(), text("k"), integer(1), b"ub".to_vec()].concat()),
        ("c", deep),
        ("w", tensor("0", 12, 1, &[2], &[1])),
    ]);
    assert_eq!(only(&file(&pickle(others), &floats), &[2]), [1.0, 2.0]);
    // A list that doubles at every level, in 60 levels, and a dictionary that holds itself.
    let doubling: Vec<u8> =
        (0..60u8).flat_map(|level| [b']', b'q', level + 1, b'(', b'h', level, b'h', level, b'e']).collect();
    let bomb = [b"]q\x00".to_vec(), doubling].concat();
    let itself = [b"}q\xff".to_vec(), text("me"), b"h\xffs".to_vec()].concat();
    let all = dictionary(&[("a", bomb), ("b", itself), ("w", tensor("0", 12, 1, &[2], &[1]))]);
    assert_eq!(only(&file(&pickle(all), &floats), &[2]), [1.0, 2.0]);
}

#[test]
fn what_cannot_be_weights_is_refused_by_name() {
    let whole = [1.0; 12];
    let w = |tensor: Vec<u8>| file(&pickle(dictionary(&[("ok", tensor_0()), ("layer.w", tensor)])), &whole);
    fn tensor_0() -> Vec<u8> {
        tensor("0", 12, 0, &[1], &[1])
    }
    let raw = |body: &[u8]| file(&pickle(body), &whole);
    let with = |name: &'static str, content: &'static [u8], method| {
        let pickle = pickle(dictionary(&[("w", tensor_0())]));
        let parts = [Part::new("data.pkl", &pickle), Part { method, ..Part::new(name, content) }];
        let mut bytes = std::io::Cursor::new(Vec::new());
        zip(&parts, &mut bytes);
        bytes.into_inner()
    };
    let far = 1 << 40;
    let stack_global = [text("builtins"), text("eval"), b"\x93".to_vec(), tuple(&[text("1")]), b"R".to_vec()].concat();
    let table: &[(&str, Vec<u8>, &[&str])] = &[
        ("code", raw(&call("os", "system", &[text("true")])), &["os.system", "would run code"]),
        ("code in an entry", w(call("posix", "system", &[text("true")])), &["posix.system", "would run code"]),
        ("code by protocol 4", raw(&stack_global), &["builtins.eval", "would run code"]),
        ("code as an instance", raw(b"(X\x01\x00\x00\x00xisubprocess\nPopen\n"), &["subprocess.Popen"]),
        ("code as a class", raw(&[global("runpy", "_run_code"), b")\x81".to_vec()].concat()), &["runpy._run_code"]),
        ("code in a legacy file", pickle(call("__builtin__", "eval", &[text("1")])), &["__builtin__.eval"]),
        ("a module", raw(&[global("my.net", "Net"), b")\x81".to_vec()].concat()), &["my.net.Net", "state_dict()"]),
        ("no tensors", raw(&dictionary(&[("epoch", integer(3))])), &["no tensors", "params_ema", "'epoch'"]),
        ("no pickle of torch", pickle(b"}q\x00"), &["not one of torch.save", "a dictionary"]),
        ("huge", w(tensor("0", 12, 0, &[far, far], &[far, 1])), &["'layer.w'", "reaches beyond the 12 elements"]),
        ("huge strides", w(tensor("0", 12, 0, &[2, 2], &[i64::MAX, i64::MAX])), &["'layer.w'", "reaches beyond"]),
        ("huge and empty", w(tensor("0", 12, 0, &[far, far, 0], &[1, 1, 1])), &["'layer.w'", "reaches beyond"]),
        ("offset", w(tensor("0", 12, 10, &[3], &[1])), &["'layer.w'", "from element 10 on, reaches beyond"]),
        ("huge offset", w(tensor("0", 12, i64::MAX, &[3], &[1])), &["'layer.w'", "reaches beyond"]),
        ("negative offset", w(tensor("0", 12, -1, &[3], &[1])), &["'layer.w'", "reaches beyond"]),
        ("negative shape", w(tensor("0", 12, 0, &[-3], &[1])), &["'layer.w'", "do not go together"]),
        ("negative stride", w(tensor("0", 12, 3, &[3], &[-1])), &["'layer.w'", "do not go together"]),
        ("axes", w(tensor("0", 12, 0, &[1; 26], &[1; 26])), &["'layer.w'", "do not go together"]),
        ("claims more", w(tensor("0", 1000, 0, &[1000], &[1])), &["'layer.w'", "shorter than the file says"]),
        ("claims all", w(tensor("0", i64::MAX, 0, &[i64::MAX], &[1])), &["'layer.w'", "shorter than the file says"]),
        ("no storage", w(tensor("7", 12, 0, &[1], &[1])), &["'layer.w'", "storage '7' is missing"]),
        ("quantised", w(call("torch._utils", "_rebuild_qtensor", &[])), &["'layer.w'", "_rebuild_qtensor"]),
        ("no arguments", w(call("torch._utils", "_rebuild_tensor_v2", &[])), &["'layer.w'", "no description"]),
        ("unknown storage", w(storage("StrangeStorage", "0", 1)), &["torch.StrangeStorage"]),
        ("other reference", w([text("x"), b"Q".to_vec()].concat()), &["no storage"]),
        ("too many", raw(&b"N0".repeat(2_100_000)), &["operations"]),
        ("empty stack", raw(b"0"), &["byte 2", "where there is none"]),
        ("below a mark", raw(b"N(0"), &["where there is none"]),
        ("no mark", raw(b"t"), &["without a beginning"]),
        ("no value", raw(b"}(Nu"), &["a key without a value"]),
        ("never stored", raw(b"h\x07"), &["never stored"]),
        ("a long text", raw(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), &["ends in the middle"]),
        ("unknown opcode", raw(b"\x82\x01"), &["0x82"]),
        ("no end", file(b"\x80\x02}", &whole), &["ends in the middle"]),
        ("an archive", with("code/model.py", b"", 0), &["storage '0' is missing"]),
        ("TorchScript", with("constants.pkl", b"", 0), &["TorchScript", "'torchscript'"]),
        ("big-endian", with("byteorder", b"big", 0), &["big-endian"]),
        ("compressed", with("data/0", &[0; 48], 8), &["data/0' is compressed"]),
        ("compressed otherwise", with("data/0", &[0; 48], 93), &["data/0' is compressed"]),
        ("empty zip", b"PK\x05\x06".iter().copied().chain([0; 18]).collect(), &["not one of torch.save"]),
        ("begins as a zip", b"PK\x03\x04".to_vec(), &["not all of one", "fetch it again"]),
    ];
    for (what, bytes, words) in table {
        let error = refusal(bytes);
        let missing: Vec<_> = words.iter().filter(|word| !error.contains(**word)).collect();
        assert!(missing.is_empty(), "{what}: no {missing:?} in: {error}");
    }
}

/// The length with which a safetensors file begins may look like the beginning of a pickle or of a zip archive.
#[test]
fn safetensors_are_told_from_pickles_by_more_than_their_first_bytes() {
    for length in [u64::from_le_bytes(*b"\x80\x02\0\0\0\0\0\0"), u64::from_le_bytes(*b"PK\0\0\0\0\0\0")] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#);
        bytes.resize(8 + length as usize, b' ');
        bytes.extend(2.5f32.to_le_bytes());
        assert_eq!(only(&bytes, &[1]), [2.5]);
    }
}

/// Each of these files, cut off at any byte or with any byte changed, is refused or read, and nothing else happens.
#[test]
fn damaged_files_are_refused() {
    for name in ["ordered.pth", "legacy.pth", "legacy_views.pth"] {
        let whole = golden(name);
        let stride = 7;
        for length in (0..whole.len()).step_by(stride) {
            refusal(&whole[..length]);
        }
        let mut broken = whole.clone();
        for at in (0..whole.len()).step_by(stride) {
            broken[at] ^= 0x55;
            if let Ok(weights) = Weights::new(&broken, Path::new("some.pth"), LOADING) {
                let _ = (weights.root().tensor("0.weight", &[3, 2, 3, 3]), weights.finish());
            }
            broken[at] = whole[at];
        }
    }
    // What describes the tensors has a checksum.
    let mut renamed = golden("ordered.pth");
    let at = renamed.windows(8).position(|bytes| bytes == b"0.weight").unwrap();
    renamed[at] = b'9';
    assert!(refusal(&renamed).contains("checksum"));
}

/// A checkpoint of 5 GiB is neither read nor in memory but for the tensor that is taken.
#[test]
fn large_files_stay_on_disk() {
    const ELEMENTS: i64 = 5 << 28;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.ckpt");
    let pickle = pickle(dictionary(&[
        ("all", tensor("0", ELEMENTS, 0, &[ELEMENTS], &[1])),
        ("end", tensor("0", ELEMENTS, ELEMENTS - 3, &[3], &[1])),
        ("w", tensor("1", 2, 0, &[2], &[1])),
    ]));
    let last: Vec<u8> = [1.5f32, 2.5].iter().flat_map(|float| float.to_le_bytes()).collect();
    let parts = [
        Part::new("data.pkl", &pickle),
        Part { zeros: 4 * ELEMENTS as u64, ..Part::new("data/0", &[]) },
        Part::new("data/1", &last),
    ];
    zip(&parts, &mut std::fs::File::create(&path).unwrap());
    let file = std::fs::File::open(&path).unwrap();
    // SAFETY: nobody else knows the file.
    let content = unsafe { memmap2::Mmap::map(&file) }.unwrap();
    let files = [MappedFile { path: path.clone(), content }];
    let before = resident();
    let weights = Weights::mapped(&files, &path, LOADING).unwrap();
    let w = weights.root().tensor("w", &[2]).unwrap();
    assert_eq!(Vec::<f64>::try_from(w).unwrap(), [1.5, 2.5]);
    assert_eq!(Vec::<f64>::try_from(weights.root().tensor("end", &[3]).unwrap()).unwrap(), [0.0; 3]);
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{} MiB", grown >> 20);
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    4096 * pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
}
