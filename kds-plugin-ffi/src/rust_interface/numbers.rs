//! Numbers pass from one interface to the other as they are; a difference does not compile.

use kds_plugin_api::{Alpha, Format, ParameterKind, Stage, Status};

use crate::*;

macro_rules! agree {
    ($($ours:expr, $theirs:expr;)*) => {
        $(const _: () = assert!($ours.0 == $theirs);)*
    };
}

agree! {
    Status::INVALID_ARGUMENT, KDS_INVALID_ARGUMENT;
    Status::NOT_FOUND, KDS_NOT_FOUND;
    Status::INVALID_IMAGE, KDS_INVALID_IMAGE;
    Status::INVALID_MODEL, KDS_INVALID_MODEL;
    Status::INVALID_REGISTRY, KDS_INVALID_REGISTRY;
    Status::DEVICE_UNAVAILABLE, KDS_DEVICE_UNAVAILABLE;
    Status::OUT_OF_MEMORY, KDS_OUT_OF_MEMORY;
    Status::CANCELLED, KDS_CANCELLED;
    Status::BUSY, KDS_BUSY;
    Status::INTERNAL, KDS_INTERNAL;
    Status::PANIC, KDS_PANIC;
    Format::GRAY_U8, KDS_GRAY_U8;
    Format::RGB_U8, KDS_RGB_U8;
    Format::RGBA_U8, KDS_RGBA_U8;
    Format::GRAYA_U8, KDS_GRAYA_U8;
    Format::GRAY_U16, KDS_GRAY_U16;
    Format::RGB_U16, KDS_RGB_U16;
    Format::RGBA_U16, KDS_RGBA_U16;
    Format::GRAYA_U16, KDS_GRAYA_U16;
    Format::GRAY_F32, KDS_GRAY_F32;
    Format::RGB_F32, KDS_RGB_F32;
    Format::RGBA_F32, KDS_RGBA_F32;
    Format::GRAYA_F32, KDS_GRAYA_F32;
    Format::GRAY_F16, KDS_GRAY_F16;
    Format::RGB_F16, KDS_RGB_F16;
    Format::RGBA_F16, KDS_RGBA_F16;
    Format::GRAYA_F16, KDS_GRAYA_F16;
    Alpha::STRAIGHT, KDS_ALPHA_STRAIGHT;
    Alpha::PREMULTIPLIED, KDS_ALPHA_PREMULTIPLIED;
    Stage::PREPARE, KDS_STAGE_PREPARE;
    Stage::SAMPLE, KDS_STAGE_SAMPLE;
    Stage::DECODE, KDS_STAGE_DECODE;
    Stage::FINISH, KDS_STAGE_FINISH;
    ParameterKind::INTEGER, KDS_PARAM_INTEGER;
    ParameterKind::NUMBER, KDS_PARAM_NUMBER;
    ParameterKind::CHOICE, KDS_PARAM_CHOICE;
    ParameterKind::TEXT, KDS_PARAM_TEXT;
}
