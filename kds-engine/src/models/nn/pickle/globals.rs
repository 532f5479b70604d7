//! Classes and functions that pickles name. None is ever called; these tell a file of weights from one that was made to run
//! code in Python.

/// Modules of Python that reach the system, or make code of data.
const MODULES: &[&str] = &[
    "os",
    "posix",
    "nt",
    "posixpath",
    "ntpath",
    "sys",
    "subprocess",
    "_posixsubprocess",
    "multiprocessing",
    "pty",
    "socket",
    "socketserver",
    "ssl",
    "http",
    "urllib",
    "requests",
    "httpx",
    "aiohttp",
    "ftplib",
    "smtplib",
    "telnetlib",
    "webbrowser",
    "shutil",
    "tempfile",
    "ctypes",
    "_ctypes",
    "importlib",
    "imp",
    "runpy",
    "pkgutil",
    "zipimport",
    "code",
    "codeop",
    "marshal",
    "pickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "inspect",
    "operator",
    "_operator",
    "commands",
    "popen2",
    "pdb",
    "bdb",
    "timeit",
    "trace",
    "profile",
    "cProfile",
    "doctest",
    "venv",
    "ensurepip",
    "pip",
    "setuptools",
    "distutils",
    "signal",
    "_thread",
    "asyncio",
    "atexit",
    "site",
    "io",
    "_io",
];

/// Functions of Python itself that do.
const BUILT_IN: &[&str] = &[
    "eval",
    "exec",
    "execfile",
    "compile",
    "__import__",
    "open",
    "file",
    "input",
    "getattr",
    "setattr",
    "delattr",
    "globals",
    "locals",
    "vars",
    "apply",
    "breakpoint",
    "exit",
    "quit",
];

/// Functions of torch and numpy that run code or read files.
const OTHERS: &[(&str, &str)] = &[
    ("torch", "load"),
    ("torch.serialization", "load"),
    ("torch.jit", "load"),
    ("torch.hub", "load"),
    ("torch.storage", "_load_from_bytes"),
    ("types", "FunctionType"),
    ("types", "CodeType"),
    ("numpy", "load"),
    ("numpy", "fromfile"),
];

/// Names that can be made to run code where Python opens the file without care.
pub(super) fn runs_code(module: &str, name: &str) -> bool {
    let root = module.split('.').next().unwrap_or_default();
    let built_in = ["builtins", "__builtin__", "__builtins__"].contains(&module);
    MODULES.contains(&root)
        // Protocol 4 allows paths such as "eval.__call__".
        || built_in && BUILT_IN.contains(&name.split('.').next().unwrap_or_default())
        || OTHERS.contains(&(module, name))
        || name.split('.').any(|part| ["__globals__", "__builtins__", "__subclasses__", "__reduce__"].contains(&part))
}
