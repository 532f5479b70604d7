//! The U-Net against diffusers' `UNet2DModel` on the same random weights (`tools/golden/unet2d.py`).

use std::path::Path;

use kds_engine::nn::{Loading, UNet2d, UNet2dConfig, Weights};
use safetensors::SafeTensors;
use tch::{Device, Kind, Tensor};

struct Golden {
    bytes: Vec<u8>,
    path: std::path::PathBuf,
}

impl Golden {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
        Self { bytes: std::fs::read(&path).unwrap(), path }
    }

    fn tensor(&self, name: &str) -> Tensor {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = tensors.tensor(name).unwrap();
        let shape: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
        Tensor::f_from_data_size(view.data(), &shape, Kind::Float).unwrap()
    }

    fn config(&self) -> UNet2dConfig {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).unwrap();
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["config"]).unwrap()
    }

    fn network(&self, kind: Kind) -> kds_engine::Result<UNet2d> {
        let weights = Weights::new(&self.bytes, &self.path, Loading::new(Device::Cpu, kind))?;
        UNet2d::new(&weights.root().child("unet"), &self.config())
    }
}

/// Largest difference, as a share of the largest value.
fn relative(found: &Tensor, expected: &Tensor) -> f64 {
    let difference = found.f_sub(expected).unwrap().f_abs().unwrap().f_max().unwrap();
    difference.double_value(&[]) / expected.f_abs().unwrap().f_max().unwrap().double_value(&[])
}

#[test]
fn every_configuration_agrees_with_diffusers() {
    let _guard = tch::no_grad_guard();
    for name in ["unet2d_plain", "unet2d_attention", "unet2d_variants"] {
        let golden = Golden::read(&format!("{name}.safetensors"));
        let timestep = golden.tensor("timestep").double_value(&[0]);
        let (x, expected) = (golden.tensor("x"), golden.tensor("y"));
        let output = golden.network(Kind::Float).unwrap().forward(&x, timestep).unwrap();
        let error = relative(&output, &expected);
        assert!(error < 1e-5, "{name}: {error}");

        let half = golden.network(Kind::BFloat16).unwrap();
        let output = half.forward(&x.to_kind(Kind::BFloat16), timestep).unwrap().to_kind(Kind::Float);
        let error = relative(&output, &expected);
        assert!(error < 5e-2, "{name} in bf16: {error}");
    }
}

#[test]
fn a_batch_is_the_same_as_one_by_one() {
    let _guard = tch::no_grad_guard();
    let golden = Golden::read("unet2d_plain.safetensors");
    let network = golden.network(Kind::Float).unwrap();
    let x = golden.tensor("x");
    let whole = network.forward(&x, 10.0).unwrap();
    for index in 0..2 {
        let one = network.forward(&x.f_narrow(0, index, 1).unwrap(), 10.0).unwrap();
        assert!(relative(&one, &whole.f_narrow(0, index, 1).unwrap()) < 1e-6);
    }
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let golden = Golden::read("unet2d_plain.safetensors");
    let weights = Weights::new(&golden.bytes, &golden.path, Loading::new(Device::Cpu, Kind::Float)).unwrap();
    let scope = weights.root().child("unet");
    let build = |change: &dyn Fn(&mut UNet2dConfig)| {
        let mut config = golden.config();
        change(&mut config);
        UNet2d::new(&scope, &config).err().unwrap().to_string()
    };
    type Change<'a> = &'a dyn Fn(&mut UNet2dConfig);
    let table: [(Change, &str); 6] = [
        (
            &|config| config.in_channels = 7,
            "'unet.conv_in.weight' has shape [8, 5, 3, 3], the architecture needs [8, 7, 3, 3]",
        ),
        (&|config| config.layers_per_block = 3, "is missing"),
        (&|config| config.norm_num_groups = 5, "norm_num_groups 5"),
        (&|config| config.block_out_channels = vec![], "block_out_channels has 0 entries"),
        (&|config| config.block_out_channels = vec![8, -12, 16], "channel counts"),
        (
            &|config| (config.add_attention, config.attention_head_dim) = (true, Some(5)),
            "attention_head_dim 5 does not divide the 16 channels",
        ),
    ];
    for (change, expected) in table {
        let message = build(change);
        assert!(message.contains(expected) && message.contains("unet2d_plain.safetensors"), "{message}");
    }
    let extra = weights.finish().unwrap_err().to_string();
    assert!(extra.contains("do not belong to this architecture"), "{extra}");
    let truncated =
        Weights::new(&golden.bytes[..100], &golden.path, Loading::new(Device::Cpu, Kind::Float)).err().unwrap();
    assert!(truncated.to_string().contains("not a safetensors file"));
}
