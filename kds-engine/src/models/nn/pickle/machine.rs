//! Python's pickle machine for data only (CPython: Lib/pickletools.py lists its opcodes): nothing that a file names is ever
//! called.
//!
//! Values lie in one list and refer to each other by number, so that a value that holds itself, or is nested a million
//! deep, costs no stack and no copies. Texts are borrowed from the file. Memory is in proportion to the length of the
//! pickle, and that is bounded.

use std::collections::HashMap;

use super::globals;
use super::tensor::{Storage, TensorRef};

/// The number of a value in [`Values`].
pub(super) type Id = u32;

/// A Python value, as far as weights need it.
#[derive(Debug)]
pub(super) enum Value<'a> {
    None,
    Integer(i64),
    Text(&'a str),
    /// Tuples are lists here, and so is `torch.Size`.
    List(Vec<Id>),
    Dictionary(Vec<(Id, Id)>),
    Global(&'a str, &'a str),
    Storage(Storage<'a>),
    /// A tensor, or why its description makes none.
    Tensor(Result<TensorRef<'a>, String>),
    /// Data without a meaning for weights, by the name of its class.
    Opaque(String),
}

/// All values of a pickle.
#[derive(Debug, Default)]
pub(super) struct Values<'a>(Vec<Value<'a>>);

impl<'a> Values<'a> {
    pub fn get(&self, id: Id) -> &Value<'a> {
        self.0.get(id as usize).unwrap_or(&Value::None)
    }

    /// All storages that tensors may lie in.
    pub fn storages(&self) -> impl Iterator<Item = &Storage<'a>> {
        self.0.iter().filter_map(|value| if let Value::Storage(storage) = value { Some(storage) } else { None })
    }

    pub fn text(&self, id: Id) -> Option<&'a str> {
        if let Value::Text(text) = self.get(id) { Some(text) } else { None }
    }

    pub fn integer(&self, id: Id) -> Option<i64> {
        if let Value::Integer(value) = self.get(id) { Some(*value) } else { None }
    }

    pub fn list(&self, id: Id) -> Option<&[Id]> {
        if let Value::List(items) = self.get(id) { Some(items) } else { None }
    }

    pub fn integers(&self, id: Id) -> Option<Vec<i64>> {
        self.list(id)?.iter().map(|item| self.integer(*item)).collect()
    }

    /// A word or two on a value, for messages.
    pub fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Value::None => "None".to_owned(),
            Value::Integer(_) => "a number".to_owned(),
            Value::Text(_) => "a text".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Dictionary(_) => "a dictionary".to_owned(),
            Value::Global(module, name) => format!("{module}.{name}"),
            Value::Storage(_) => "a storage without shape".to_owned(),
            Value::Tensor(_) => "a tensor".to_owned(),
            Value::Opaque(class) => class.clone(),
        }
    }
}

/// Far beyond any checkpoint: one with the state of its optimiser has some hundred thousand.
const MOST_OPERATIONS: usize = 4 << 20;

/// Runs one pickle from the beginning of `bytes`; all its values, the number of its result, and what follows it.
pub(super) fn run(bytes: &[u8]) -> Result<(Values<'_>, Id, &[u8]), String> {
    let mut machine =
        Machine { bytes, at: 0, values: Values::default(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    for _ in 0..MOST_OPERATIONS {
        let start = machine.at;
        let result = machine.step().map_err(|reason| format!("{reason} (byte {start} of the pickle)"))?;
        if let Some(result) = result {
            let rest = bytes.get(machine.at..).unwrap_or_default();
            return Ok((machine.values, result, rest));
        }
    }
    Err(format!("the pickle has more than {MOST_OPERATIONS} operations, which no file of weights needs"))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Values<'a>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

type Step<T> = Result<T, String>;

impl<'a> Machine<'a> {
    /// One operation; the result at the end.
    fn step(&mut self) -> Step<Option<Id>> {
        match self.byte()? {
            b'.' => return self.pop().map(Some),
            // PROTO, FRAME.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.opaque("bool")?,
            b'J' => self.integer(4, true)?,
            b'K' => self.integer(1, false)?,
            b'M' => self.integer(2, false)?,
            0x8a => {
                let length = self.length(1)?;
                self.integer(length, true)?;
            }
            0x8b => {
                let length = self.length(4)?;
                self.integer(length, true)?;
            }
            b'G' => {
                self.take(8)?;
                self.opaque("float")?;
            }
            // Numbers and texts in lines, as old protocols have them.
            b'I' | b'L' | b'F' | b'S' | b'V' => {
                self.line()?;
                self.opaque("str")?;
            }
            b'X' | b'T' => self.text(4)?,
            0x8c | b'U' => self.text(1)?,
            0x8d => self.text(8)?,
            b'B' => self.binary(4)?,
            b'C' => self.binary(1)?,
            0x8e | 0x96 => self.binary(8)?,
            b']' | b')' => self.push(Value::List(Vec::new()))?,
            b'l' | b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))?;
            }
            count @ 0x85..=0x87 => {
                let items = self.top_of(usize::from(count - 0x84))?;
                self.push(Value::List(items))?;
            }
            b'a' => {
                let items = self.top_of(1)?;
                self.extend(items)?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b'}' => self.push(Value::Dictionary(Vec::new()))?,
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dictionary(Vec::new()))?;
                self.set(items)?;
            }
            b's' => {
                let items = self.top_of(2)?;
                self.set(items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)?;
            }
            0x8f => self.opaque("set")?,
            0x91 => {
                self.pop_to_mark()?;
                self.opaque("frozenset")?;
            }
            b'g' => {
                let index = self.line()?.parse().map_err(|_| "a number that is none")?;
                self.get(index)?;
            }
            b'h' => {
                let index = self.length(1)?;
                self.get(index as u32)?;
            }
            b'j' => {
                let index = self.length(4)?;
                self.get(index as u32)?;
            }
            b'p' => {
                let index = self.line()?.parse().map_err(|_| "a number that is none")?;
                self.put(index)?;
            }
            b'q' => {
                let index = self.length(1)?;
                self.put(index as u32)?;
            }
            b'r' => {
                let index = self.length(4)?;
                self.put(index as u32)?;
            }
            0x94 => self.put(self.memo.len() as u32)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.values.text(module), self.values.text(name)) {
                    (Some(module), Some(name)) => self.global(module, name)?,
                    _ => return Err("the name of a class is no text".to_owned()),
                }
            }
            // REDUCE and NEWOBJ: a function or a class, and its arguments.
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                self.call(callee, arguments)?;
            }
            0x92 => {
                let (_, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callee, arguments)?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                self.pop_to_mark()?;
                self.global(module, name)?;
            }
            b'o' => {
                let items = self.pop_to_mark()?;
                let class = items.first().ok_or("an object without a class")?;
                self.opaque_of(*class)?;
            }
            // BUILD: the attributes of an object. Those of an ordered dictionary (`_metadata`) are versions of layers.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let id = self.pop()?;
                self.persistent(id)?;
            }
            other => return Err(format!("opcode {other:#04x} has no place in a file of weights")),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("the pickle ends in the middle of an operation; fetch the file again")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    /// A number without sign, little-endian, in so many bytes.
    fn length(&mut self, bytes: usize) -> Step<usize> {
        let value = self.take(bytes)?.iter().rev().fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
        usize::try_from(value).map_err(|_| "a length beyond any file".to_owned())
    }

    /// Up to the end of the line.
    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or("a line without an end")?;
        let line = self.take(length)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| "a name that is not UTF-8".to_owned())
    }

    fn push(&mut self, value: Value<'a>) -> Step<()> {
        let id = Id::try_from(self.values.0.len()).map_err(|_| "too many values")?;
        self.values.0.push(value);
        self.stack.push(id);
        Ok(())
    }

    fn opaque(&mut self, class: &str) -> Step<()> {
        self.push(Value::Opaque(class.to_owned()))
    }

    fn opaque_of(&mut self, class: Id) -> Step<()> {
        let class = self.values.describe(class);
        self.push(Value::Opaque(class))
    }

    /// Values on the stack above the last mark; those below belong to an object that is not finished.
    fn height(&self) -> usize {
        self.stack.len() - self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Step<Id> {
        Ok(self.top_of(1)?[0])
    }

    fn top(&self) -> Step<Id> {
        let top = if self.height() > 0 { self.stack.last().copied() } else { None };
        top.ok_or_else(|| "a value is asked for where there is none".to_owned())
    }

    fn top_of(&mut self, count: usize) -> Step<Vec<Id>> {
        if self.height() < count {
            return Err("a value is asked for where there is none".to_owned());
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("a list without a beginning")?;
        Ok(self.stack.split_off(mark))
    }

    fn integer(&mut self, bytes: usize, signed: bool) -> Step<()> {
        let bytes = self.take(bytes)?;
        if bytes.len() > 8 {
            return self.opaque("int");
        }
        let negative = signed && bytes.last().is_some_and(|last| last & 0x80 != 0);
        let start = if negative { -1 } else { 0 };
        let value = bytes.iter().rev().fold(start, |value: i64, byte| (value << 8) | i64::from(*byte));
        self.push(Value::Integer(value))
    }

    fn text(&mut self, width: usize) -> Step<()> {
        let length = self.length(width)?;
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => self.push(Value::Text(text)),
            Err(_) => self.opaque("bytes"),
        }
    }

    fn binary(&mut self, width: usize) -> Step<()> {
        let length = self.length(width)?;
        self.take(length)?;
        self.opaque("bytes")
    }

    fn extend(&mut self, mut items: Vec<Id>) -> Step<()> {
        let list = self.top()?;
        if let Some(Value::List(all)) = self.values.0.get_mut(list as usize) {
            all.append(&mut items);
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Step<()> {
        let dictionary = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a key without a value".to_owned());
        }
        if let Some(Value::Dictionary(all)) = self.values.0.get_mut(dictionary as usize) {
            all.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        }
        Ok(())
    }

    fn get(&mut self, index: u32) -> Step<()> {
        let id = self.memo.get(&index).ok_or("a value is asked for that was never stored")?;
        self.stack.push(*id);
        Ok(())
    }

    fn put(&mut self, index: u32) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn global(&mut self, module: &'a str, name: &'a str) -> Step<()> {
        if globals::runs_code(module, name) {
            return Err(format!(
                "it names {module}.{name}: in Python this file would run code, and files of weights hold none; do not open it \
                 there, and fetch the model from its authors"
            ));
        }
        self.push(Value::Global(module, name))
    }

    fn call(&mut self, callee: Id, arguments: Id) -> Step<()> {
        let &Value::Global(module, name) = self.values.get(callee) else {
            return self.opaque_of(callee);
        };
        let arguments = self.values.list(arguments).map(<[Id]>::to_vec).unwrap_or_default();
        self.construct(module, name, &arguments)
    }

    fn construct(&mut self, module: &'a str, name: &'a str, arguments: &[Id]) -> Step<()> {
        match (module, name) {
            ("collections", "OrderedDict") => {
                self.push(Value::Dictionary(Vec::new()))?;
                let pairs = arguments.first().and_then(|first| self.values.list(*first)).unwrap_or_default();
                let pairs: Vec<Id> =
                    pairs.iter().filter_map(|pair| self.values.list(*pair)).flatten().copied().collect();
                self.set(pairs)
            }
            ("torch", "Size") => {
                let sizes = arguments.first().and_then(|first| self.values.list(*first)).unwrap_or_default().to_vec();
                self.push(Value::List(sizes))
            }
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
                let tensor = TensorRef::new(&self.values, arguments);
                self.push(Value::Tensor(tensor))
            }
            // A parameter is its tensor.
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                let tensor = *arguments.first().ok_or("a parameter without a tensor")?;
                self.stack.push(tensor);
                Ok(())
            }
            // A function of these, the class of the tensor, the function's arguments, attributes.
            ("torch._tensor", "_rebuild_from_type_v2") => {
                let arguments = <[Id; 4]>::try_from(arguments).map_err(|_| "a tensor without its description")?;
                match self.values.get(arguments[0]) {
                    &Value::Global(module @ "torch._utils", name) => {
                        let inner = self.values.list(arguments[2]).map(<[Id]>::to_vec).unwrap_or_default();
                        self.construct(module, name, &inner)
                    }
                    _ => self.opaque_of(arguments[0]),
                }
            }
            (module, name) => self.push(Value::Opaque(format!("{module}.{name}"))),
        }
    }

    fn persistent(&mut self, id: Id) -> Step<()> {
        let storage = Storage::new(&self.values, id)?;
        self.push(Value::Storage(storage))
    }
}
