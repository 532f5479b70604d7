//! A whole model of a few kilobytes: the architecture `residual` with one level of four channels.

use std::path::Path;

use safetensors::{Dtype, tensor::TensorView};

/// `model_index.json`.
pub const INDEX: &str = r#"{"scale": 2, "residual_std": 0.1, "detail_window": 5, "detail_gain": 8.0}"#;
/// `scheduler/scheduler_config.json`.
pub const SCHEDULER: &str =
    r#"{"num_train_timesteps": 100, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}"#;
/// `unet/config.json`.
pub const CONFIG: &str = r#"{"in_channels": 18, "out_channels": 12, "block_out_channels": [4], "layers_per_block": 1,
"down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "norm_num_groups": 2, "add_attention": false}"#;

/// Writes the model into a folder.
pub fn write(folder: &Path) -> std::io::Result<()> {
    let files = [INDEX.as_bytes(), CONFIG.as_bytes(), SCHEDULER.as_bytes(), &weights(Dtype::F16)];
    write_files(folder, files)
}

/// Writes these files into a folder: index, configuration of the network, of the scheduler, weights.
pub fn write_files(folder: &Path, files: [&[u8]; 4]) -> std::io::Result<()> {
    let names = [
        "model_index.json",
        "unet/config.json",
        "scheduler/scheduler_config.json",
        "unet/diffusion_pytorch_model.safetensors",
    ];
    std::fs::create_dir_all(folder.join("unet"))?;
    std::fs::create_dir_all(folder.join("scheduler"))?;
    names.into_iter().zip(files).try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
}

/// The weights, small and fixed, as a safetensors file of this number format (f16, bf16 or f32).
pub fn weights(dtype: Dtype) -> Vec<u8> {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes()
        .into_iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let bytes = (0..count).flat_map(|index| value(index, dtype)).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(dtype, shape.clone(), bytes).expect("as many bytes as the shape says"))
    });
    safetensors::serialize(views, None).expect("tensors with names of their own")
}

/// A value between -1/8 and 1/8. The numbers are those whose bit patterns end in zeros in every format.
fn value(index: usize, dtype: Dtype) -> Vec<u8> {
    let value = ((index * 7 + 3) % 17) as f32 / 64.0 - 0.125;
    match dtype {
        Dtype::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
        Dtype::BF16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

/// Names and shapes of the tensors that [`CONFIG`] needs.
fn shapes() -> Vec<(String, Vec<usize>)> {
    const CHANNELS: usize = 4;
    const EMBEDDING: usize = 4 * CHANNELS;
    let mut all = Vec::new();
    let mut layer = |name: &str, weight: &[usize]| {
        all.push((format!("{name}.weight"), weight.to_vec()));
        all.push((format!("{name}.bias"), weight[..1].to_vec()));
    };
    layer("conv_in", &[CHANNELS, 18, 3, 3]);
    layer("time_embedding.linear_1", &[EMBEDDING, CHANNELS]);
    layer("time_embedding.linear_2", &[EMBEDDING, EMBEDDING]);
    layer("conv_norm_out", &[CHANNELS]);
    layer("conv_out", &[12, CHANNELS, 3, 3]);
    let blocks = [
        ("down_blocks.0.resnets.0", CHANNELS),
        ("mid_block.resnets.0", CHANNELS),
        ("mid_block.resnets.1", CHANNELS),
        ("up_blocks.0.resnets.0", 2 * CHANNELS),
        ("up_blocks.0.resnets.1", 2 * CHANNELS),
    ];
    for (block, inputs) in blocks {
        layer(&format!("{block}.norm1"), &[inputs]);
        layer(&format!("{block}.conv1"), &[CHANNELS, inputs, 3, 3]);
        layer(&format!("{block}.time_emb_proj"), &[CHANNELS, EMBEDDING]);
        layer(&format!("{block}.norm2"), &[CHANNELS]);
        layer(&format!("{block}.conv2"), &[CHANNELS, CHANNELS, 3, 3]);
        if inputs != CHANNELS {
            layer(&format!("{block}.conv_shortcut"), &[CHANNELS, inputs, 1, 1]);
        }
    }
    all
}
