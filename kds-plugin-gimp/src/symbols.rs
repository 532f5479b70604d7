//! Tables of C functions, filled from libraries that are opened at run time.
//!
//! So the plug-ins build where there is no GIMP, and the one for GIMP 3 on a system that has only GIMP 2.10.

use std::mem::ManuallyDrop;

use crate::failure::Failure;

/// An opened library. Its symbols, and those of the libraries that it is linked to, are found.
pub struct Library {
    name: &'static str,
    // Never closed: the functions in the tables outlive everything.
    library: ManuallyDrop<libloading::Library>,
}

impl Library {
    /// Opens the library that the dynamic loader knows by this name.
    ///
    /// # Errors
    /// With the loader's reason.
    pub fn open(name: &'static str) -> Result<Self, Failure> {
        // SAFETY: these are libraries of GIMP and GTK, whose initialisers ask nothing of the program.
        let library = unsafe { libloading::Library::new(name) }.map_err(|error| {
            Failure::new(format!(
                "cannot load {name} ({error}); this plug-in only works inside the GIMP it is made for"
            ))
        })?;
        Ok(Self { name, library: ManuallyDrop::new(library) })
    }

    /// The first of these symbols that there is.
    ///
    /// # Safety
    /// `T` is the type of the symbol: a function pointer.
    ///
    /// # Errors
    /// When there is none of them.
    pub unsafe fn symbol<T: Copy>(&self, names: &[&str]) -> Result<T, Failure> {
        for name in names {
            // SAFETY: by the contract of this function.
            if let Ok(symbol) = unsafe { self.library.get::<T>(*name) } {
                return Ok(*symbol);
            }
        }
        let names = names.join(" or ");
        Err(Failure::new(format!(
            "{} has no function {names}: this GIMP is too old or too new for this KDS",
            self.name
        )))
    }
}

/// Declares a table of functions, and `load` to fill it. A function whose name differs from version to version lists
/// all its names.
#[macro_export]
macro_rules! functions {
    ($(#[$doc:meta])* $table:ident $(<$handle:ident: $bound:path>)? {
        $($name:ident $([$($symbol:literal),+])? ($($argument:ty),* $(; $dots:tt)?) $(-> $result:ty)?;)*
    }) => {
        $(#[$doc])*
        #[allow(missing_docs)]
        pub struct $table $(<$handle: $bound>)? {
            $(pub $name: unsafe extern "C" fn($($argument),* $(, $dots)?) $(-> $result)?,)*
        }

        impl $(<$handle: $bound>)? $table $(<$handle>)? {
            /// Looks every function up.
            ///
            /// # Errors
            /// Names the function that is not there.
            pub fn load(library: &$crate::symbols::Library) -> Result<Self, $crate::failure::Failure> {
                Ok(Self {
                    $($name: {
                        let names: &[&str] = $crate::functions!(@names $name $($($symbol),+)?);
                        // SAFETY: the types in this table are those of the C headers.
                        unsafe { library.symbol::<unsafe extern "C" fn($($argument),* $(, $dots)?) $(-> $result)?>(names) }?
                    },)*
                })
            }
        }
    };
    (@names $name:ident) => { &[stringify!($name)] };
    (@names $name:ident $($symbol:literal),+) => { &[$($symbol),+] };
}
