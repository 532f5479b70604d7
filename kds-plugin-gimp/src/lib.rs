//! The plug-ins for GIMP 2.10 and GIMP 3: what both share.
//!
//! A *shim* (`gimp2/`, `gimp3/`) is a program that one version of GIMP starts. It registers the procedures of [`task`]
//! with the arguments of [`argument`], reads their values when GIMP calls one, and hands over to [`procedure::run`]. All
//! that follows is the same for both: the functions of libgimp have the same names and meanings in both versions, only
//! that an image or a layer is a number in the one and an object in the other. So [`gimp::Gimp`] is one table of these
//! functions with the type of a handle left open, and a shim chooses it.
//!
//! GIMP starts a plug-in anew for every call, and once to ask what it can do. Therefore `libkds.so`, and libtorch with
//! it, is loaded only inside [`procedure::run`].
//!
//! # Licences
//! This code is under MIT or Apache 2.0, as you like, as all of KDS. It is not linked to GIMP and holds nothing of it:
//! the libraries that it opens at run time, libgimp, GEGL and babl, are under the LGPL version 3, GTK and GLib under the
//! LGPL version 2.1, and all are loaded from the user's own GIMP. GIMP itself, under the GPL version 3, is another
//! process, to which libgimp talks.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod amount;
pub mod argument;
pub mod controls;
pub mod cost;
pub mod dialog;
pub mod event;
pub mod failure;
pub mod gegl;
pub mod gimp;
pub mod gtk;
pub mod guard;
pub mod loading;
pub mod output;
pub mod photograph;
pub mod pixels;
pub mod preview;
pub mod procedure;
pub mod region;
pub mod remembered;
pub mod restorer;
pub mod settings;
pub mod symbols;
pub mod task;
pub mod translation;
pub mod trial;
pub mod viewer;
