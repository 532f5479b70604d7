//! Maps of arguments and results.

use std::ffi::{CStr, CString, c_int};

use kds_plugin_nodes::{Takes, Task, settings};

use crate::raw::{APPEND, Api, Map, Node, UTF8};

/// The arguments of a call, or the properties of a frame.
pub struct In<'a> {
    map: *const Map,
    api: &'a Api,
}

impl<'a> In<'a> {
    /// # Safety
    /// The map is live as long as this is.
    pub unsafe fn new(map: *const Map, api: &'a Api) -> Self {
        Self { map, api }
    }

    /// A reference to a clip, which the caller has to free.
    pub fn node(&self, key: &CStr) -> Option<*mut Node> {
        self.get(key, self.api.map_get_node).filter(|node| !node.is_null())
    }

    pub fn int(&self, key: &CStr) -> Option<i64> {
        self.get(key, self.api.map_get_int)
    }

    /// The values of settings that are given, in the words of the engine.
    pub fn settings(&self, task: Task) -> Result<Vec<(String, String)>, String> {
        let mut given = Vec::new();
        for setting in settings(task) {
            let key = CString::new(setting.name).map_err(|error| error.to_string())?;
            let value = match setting.takes {
                Takes::Integer(..) => self.int(&key).map(|value| value.to_string()),
                Takes::Number(..) => self.get(&key, self.api.map_get_float).map(|value| value.to_string()),
                Takes::Text | Takes::Choice(_) => self.text(&key),
            };
            given.extend(value.map(|value| (setting.name.to_owned(), value)));
        }
        Ok(given)
    }

    fn text(&self, key: &CStr) -> Option<String> {
        let length = usize::try_from(self.get(key, self.api.map_get_data_size)?).ok()?;
        let bytes = self.get(key, self.api.map_get_data).filter(|bytes| !bytes.is_null())?;
        // SAFETY: so many bytes belong to the map, which is live.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    fn get<T>(
        &self,
        key: &CStr,
        function: unsafe extern "C" fn(*const Map, *const std::ffi::c_char, c_int, *mut c_int) -> T,
    ) -> Option<T> {
        let mut error = 0;
        // SAFETY: a live map, by the contract of `new`, a string and a number that live through the call.
        let value = unsafe { function(self.map, key.as_ptr(), 0, &mut error) };
        (error == 0).then_some(value)
    }
}

/// The results of a call.
pub struct Out<'a> {
    map: *mut Map,
    api: &'a Api,
}

impl<'a> Out<'a> {
    /// # Safety
    /// The map is live as long as this is, and nobody else uses it.
    pub unsafe fn new(map: *mut Map, api: &'a Api) -> Self {
        Self { map, api }
    }

    pub fn map(&self) -> *mut Map {
        self.map
    }

    pub fn append_text(&self, key: &CStr, text: &str) {
        let length = c_int::try_from(text.len()).unwrap_or(0);
        // SAFETY: a live map, by the contract of `new`; the text is copied.
        unsafe { (self.api.map_set_data)(self.map, key.as_ptr(), text.as_ptr().cast(), length, UTF8, APPEND) };
    }

    pub fn append_int(&self, key: &CStr, value: i64) {
        // SAFETY: a live map, by the contract of `new`.
        unsafe { (self.api.map_set_int)(self.map, key.as_ptr(), value, APPEND) };
    }

    pub fn set_error(&self, message: &str) {
        let message = CString::new(message.replace('\0', " ")).unwrap_or_default();
        // SAFETY: a live map, by the contract of `new`; the message is copied.
        unsafe { (self.api.map_set_error)(self.map, message.as_ptr()) };
    }
}
