//! How a pickle of torch describes a tensor: a storage of numbers, and how its elements lie in it.

use tch::Kind;

use super::machine::{Id, Value, Values};

/// A storage: numbers beside the pickle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage<'a> {
    /// Its name in the file.
    pub key: &'a str,
    pub dtype: Dtype,
    /// Elements.
    pub count: u64,
}

/// The number format of a storage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dtype {
    /// Bytes of an element.
    pub size: usize,
    /// The format, where it is a float that networks compute in, or else its name.
    pub kind: Result<Kind, &'static str>,
}

impl Dtype {
    /// By the class of the storage.
    fn of(class: &str) -> Option<Self> {
        let (size, kind) = match class {
            "DoubleStorage" => (8, Ok(Kind::Double)),
            "FloatStorage" => (4, Ok(Kind::Float)),
            "HalfStorage" => (2, Ok(Kind::Half)),
            "BFloat16Storage" => (2, Ok(Kind::BFloat16)),
            "LongStorage" => (8, Err("int64")),
            "IntStorage" => (4, Err("int32")),
            "ShortStorage" => (2, Err("int16")),
            "CharStorage" => (1, Err("int8")),
            "ByteStorage" => (1, Err("uint8")),
            "BoolStorage" => (1, Err("bool")),
            "ComplexFloatStorage" => (8, Err("complex64")),
            "ComplexDoubleStorage" => (16, Err("complex128")),
            "QInt8Storage" => (1, Err("qint8")),
            "QUInt8Storage" => (1, Err("quint8")),
            "QInt32Storage" => (4, Err("qint32")),
            "UntypedStorage" => (1, Err("bytes")),
            _ => return None,
        };
        Some(Self { size, kind })
    }
}

impl<'a> Storage<'a> {
    /// From a persistent id: `('storage', class, key, device, elements)`; old files say after it what it is a view of.
    pub fn new(values: &Values<'a>, id: Id) -> Result<Self, String> {
        let parts = values.list(id).unwrap_or_default();
        let &[what, class, key, _device, count, ref view @ ..] = parts else {
            return Err("a reference to something that is no storage".to_owned());
        };
        if values.text(what) != Some("storage") {
            return Err("a reference to something that is no storage".to_owned());
        }
        let &Value::Global(module, class) = values.get(class) else {
            return Err("a storage without a class".to_owned());
        };
        let dtype = Dtype::of(class).filter(|_| module.split('.').next() == Some("torch"));
        let dtype = dtype.ok_or_else(|| format!("a storage of the unknown class {module}.{class}"))?;
        let count = values.integer(count).and_then(|count| u64::try_from(count).ok());
        if view.iter().any(|view| !matches!(values.get(*view), Value::None)) {
            return Err("a storage that is a view of another, as torch before 0.4 wrote it".to_owned());
        }
        match (values.text(key), count) {
            (Some(key), Some(count)) => Ok(Self { key, dtype, count }),
            _ => Err("a storage without a name or a size".to_owned()),
        }
    }
}

/// A tensor in a storage, within its bounds.
#[derive(Debug)]
pub(super) struct TensorRef<'a> {
    pub storage: Storage<'a>,
    /// First element.
    pub offset: u64,
    pub shape: Vec<i64>,
    /// Elements between neighbours along each axis.
    pub strides: Vec<i64>,
    /// Elements from the first to behind the last.
    pub extent: u64,
}

/// As many as libtorch has room for in most of its functions.
const MOST_AXES: usize = 25;

impl<'a> TensorRef<'a> {
    /// From the arguments of `_rebuild_tensor_v2`: storage, offset, shape, strides, and what concerns training.
    pub fn new(values: &Values<'a>, arguments: &[Id]) -> Result<Self, String> {
        let &[storage, offset, shape, strides, ..] = arguments else {
            return Err("it has no description".to_owned());
        };
        let &Value::Storage(storage) = values.get(storage) else {
            return Err("it has no storage".to_owned());
        };
        let (Some(offset), Some(shape), Some(strides)) =
            (values.integer(offset), values.integers(shape), values.integers(strides))
        else {
            return Err("its shape is not made of numbers".to_owned());
        };
        if shape.len() != strides.len() || shape.len() > MOST_AXES || shape.iter().chain(&strides).any(|n| *n < 0) {
            return Err(format!("its shape {shape:?} and strides {strides:?} do not go together"));
        }
        let outside = || {
            let count = storage.count;
            format!("its shape {shape:?}, from element {offset} on, reaches beyond the {count} elements of its storage")
        };
        let offset = u64::try_from(offset).map_err(|_| outside())?;
        let extent = extent(&shape, &strides).ok_or_else(outside)?;
        if offset.checked_add(extent).is_none_or(|end| end > storage.count) {
            return Err(outside());
        }
        Ok(Self { storage, offset, shape, strides, extent })
    }

    /// True where the elements lie one after the other.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.extent == 0
            || self.shape.iter().zip(&self.strides).rev().all(|(side, stride)| {
                let fits = *side == 1 || *stride == expected;
                expected *= side;
                fits
            })
    }
}

/// Elements from the first to behind the last; `None` beyond all numbers.
fn extent(shape: &[i64], strides: &[i64]) -> Option<u64> {
    // The number of elements must be a number too, even where strides are 0.
    shape.iter().try_fold(1i64, |product, side| product.checked_mul(*side))?;
    if shape.contains(&0) {
        return Some(0);
    }
    let last = shape.iter().zip(strides).try_fold(0i64, |sum, (side, stride)| {
        (side - 1).checked_mul(*stride).and_then(|reach| sum.checked_add(reach))
    })?;
    u64::try_from(last).ok()?.checked_add(1)
}
