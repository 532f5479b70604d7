"""Runs the schedulers of diffusers on a closed-form network and stores what they do at every step.

    python tools/golden/schedulers.py tests/golden/schedulers.safetensors

See README.md beside this file for the contents of the result.
"""

import argparse
import contextlib
import itertools
import json
import math

import diffusers
import numpy
import torch
from diffusers.schedulers import (
    scheduling_ddim,
    scheduling_ddpm,
    scheduling_dpmsolver_multistep,
    scheduling_dpmsolver_singlestep,
    scheduling_euler_discrete,
    scheduling_heun_discrete,
    scheduling_unipc_multistep,
)
from safetensors.torch import save_file

SHAPE = (1, 2, 2, 2)
STEPS = (1, 2, 5, 7, 10, 25)
PREDICTIONS = ("epsilon", "v_prediction", "sample")
BETAS = (
    {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    {"beta_schedule": "squaredcos_cap_v2", "beta_start": 0.0001, "beta_end": 0.02},
)
SPACINGS = (
    {"timestep_spacing": "leading", "steps_offset": 0},
    {"timestep_spacing": "leading", "steps_offset": 1},
    {"timestep_spacing": "trailing", "steps_offset": 0},
    {"timestep_spacing": "linspace", "steps_offset": 0},
    {"timestep_spacing": "linspace", "steps_offset": 0, "use_karras_sigmas": True},
)
SAMPLERS = (
    ("ddim", 0.0), ("ddim", 0.7), ("dpm++2m", 0.0), ("euler", 0.0), ("heun", 0.0),
    ("ddpm", 0.0), ("dpm++2m-sde", 0.0), ("unipc", 0.0), ("dpm++2s", 0.0),
)  # fmt: skip


# The most by which a step of Heun divides the noise-to-signal ratio while diffusers is followed: see README.md.
LONGEST = 4.0


def network(x, timestep):
    """A smooth, nonlinear function of state and time. The test in Rust has the same one."""
    return 0.5 * torch.sin(x + timestep / 300.0) + 0.3 * x


class DoubleForSingle:
    """A module (torch or numpy) in which the name float32 means float64."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        return getattr(self.module, "float64" if name == "float32" else name)


@contextlib.contextmanager
def double_precision(module):
    """Runs a scheduler's own code in double precision.

    The schedulers compute in single precision, which leaves 1 - alphas_cumprod[0] with four digits: rounding would hide
    the errors that the comparison looks for.
    """
    module.torch, module.np = DoubleForSingle(torch), DoubleForSingle(numpy)
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        module.torch, module.np = torch, numpy


def variance_preserving(sigma):
    """(alpha, sigma) of a level whose noise-to-signal ratio is given."""
    return 1.0 / math.sqrt(sigma**2 + 1.0), sigma / math.sqrt(sigma**2 + 1.0)


def run_ddim(config, steps, eta, noise, step_noise):
    # clip_sample is on by default in this scheduler alone.
    scheduler = scheduling_ddim.DDIMScheduler(clip_sample=False, **config)
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.tolist()
    train_timesteps = config["num_train_timesteps"]
    x, levels, states = noise * scheduler.init_noise_sigma, [], [noise * scheduler.init_noise_sigma]
    for index, (timestep, following) in enumerate(zip(timesteps, timesteps[1:] + [-1])):
        alpha_cumprod = scheduler.alphas_cumprod[timestep].item()
        levels.append((timestep, math.sqrt(alpha_cumprod), math.sqrt(1.0 - alpha_cumprod)))
        # The scheduler always steps down by num_train_timesteps // num_inference_steps, whichever timestep comes next.
        # Where that is not where the network is asked next, it is told the gap that is really there.
        if max(timestep - train_timesteps // steps, -1) != following:
            scheduler.num_inference_steps = 1
            scheduler.register_to_config(num_train_timesteps=timestep - following)
        x = scheduler.step(network(x, timestep), timestep, x, eta=eta, variance_noise=step_noise[index]).prev_sample
        scheduler.num_inference_steps = steps
        scheduler.register_to_config(num_train_timesteps=train_timesteps)
        states.append(x)
    return levels, states


def run_ddpm(config, steps, eta, noise, step_noise):
    scheduler = scheduling_ddpm.DDPMScheduler(clip_sample=False, variance_type="fixed_small", **config)
    scheduler.set_timesteps(steps)
    x, levels, states = noise * scheduler.init_noise_sigma, [], [noise * scheduler.init_noise_sigma]
    for index, timestep in enumerate(scheduler.timesteps):
        alpha_cumprod = scheduler.alphas_cumprod[timestep].item()
        levels.append((timestep.item(), math.sqrt(alpha_cumprod), math.sqrt(1.0 - alpha_cumprod)))
        # This scheduler draws its noise itself.
        scheduling_ddpm.randn_tensor = lambda *arguments, index=index, **options: step_noise[index]
        x = scheduler.step(network(x, timestep.item()), timestep, x).prev_sample
        states.append(x)
    return levels, states


def run_multistep(scheduler, steps, noise, **options):
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(0)
    x, levels, states = noise * scheduler.init_noise_sigma, [], [noise * scheduler.init_noise_sigma]
    for index, timestep in enumerate(scheduler.timesteps):
        levels.append((timestep.item(), *variance_preserving(scheduler.sigmas[index].item())))
        step_options = {name: values[index] for name, values in options.items()}
        x = scheduler.step(network(x, timestep.item()), timestep, x, **step_options).prev_sample
        states.append(x)
    return levels, states


def run_dpm_solver(config, steps, eta, noise, step_noise):
    scheduler = scheduling_dpmsolver_multistep.DPMSolverMultistepScheduler(
        algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", lower_order_final=True, **config
    )
    return run_multistep(scheduler, steps, noise)


def run_dpm_solver_sde(config, steps, eta, noise, step_noise):
    scheduler = scheduling_dpmsolver_multistep.DPMSolverMultistepScheduler(
        algorithm_type="sde-dpmsolver++", solver_order=2, solver_type="midpoint", lower_order_final=True, **config
    )
    return run_multistep(scheduler, steps, noise, variance_noise=step_noise)


def run_dpm_singlestep(config, steps, eta, noise, step_noise):
    # This scheduler knows no spacing; it takes the timesteps from the multistep one. Its sigmas are the same.
    multistep = scheduling_dpmsolver_multistep.DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", **config)
    multistep.set_timesteps(steps)
    own = {name: value for name, value in config.items() if name not in ("timestep_spacing", "steps_offset")}
    scheduler = scheduling_dpmsolver_singlestep.DPMSolverSinglestepScheduler(
        algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", lower_order_final=True, **own
    )
    if config.get("use_karras_sigmas", False):
        scheduler.set_timesteps(steps)
    else:
        scheduler.set_timesteps(timesteps=multistep.timesteps.tolist())
    scheduler.set_begin_index(0)
    x, levels, states = noise, [], [noise]
    for index, timestep in enumerate(scheduler.timesteps):
        levels.append((timestep.item(), *variance_preserving(scheduler.sigmas[index].item())))
        x = scheduler.step(network(x, timestep.item()), timestep, x).prev_sample
        states.append(x)
    return levels, states


def run_unipc(config, steps, eta, noise, step_noise):
    scheduler = scheduling_unipc_multistep.UniPCMultistepScheduler(
        solver_order=2, solver_type="bh2", predict_x0=True, lower_order_final=True, **config
    )
    return run_multistep(scheduler, steps, noise)


def run_variance_exploding(scheduler, steps, noise):
    """Euler and Heun keep y = x / alpha; what is stored is x, which the network sees too."""
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(0)
    y, levels, states = noise * scheduler.init_noise_sigma, [], []
    for index, timestep in enumerate(scheduler.timesteps):
        levels.append((timestep.item(), *variance_preserving(scheduler.sigmas[index].item())))
        x = scheduler.scale_model_input(y, timestep)
        states.append(x)
        y = scheduler.step(network(x, timestep.item()), timestep, y).prev_sample
    return levels, states + [y]


def run_euler(config, steps, eta, noise, step_noise):
    return run_variance_exploding(scheduling_euler_discrete.EulerDiscreteScheduler(**config), steps, noise)


class BoundedHeun(scheduling_heun_discrete.HeunDiscreteScheduler):
    """Heun of diffusers, but where a step divides sigma by more than LONGEST: there the mean of both x0, which are the
    slopes of y / sigma in 1 / sigma, replaces the mean of both slopes of y in sigma."""

    def step(self, model_output, timestep, sample):
        first = self.state_in_first_order
        index = self.step_index if self.step_index is not None else self.begin_index
        output = super().step(model_output, timestep, sample)
        if first:
            self.first_sample, self.first_x0 = sample, output.pred_original_sample
            return output
        sigma, sigma_next = self.sigmas[index - 1], self.sigmas[index]
        if sigma > LONGEST * sigma_next:
            mean = (self.first_x0 + output.pred_original_sample) / 2
            output.prev_sample = sigma_next * (self.first_sample / sigma + (1 / sigma_next - 1 / sigma) * mean)
        return output


def run_heun(config, steps, eta, noise, step_noise):
    return run_variance_exploding(BoundedHeun(**config), steps, noise)


RUNS = {
    "ddim": (scheduling_ddim, run_ddim),
    "ddpm": (scheduling_ddpm, run_ddpm),
    "dpm++2m": (scheduling_dpmsolver_multistep, run_dpm_solver),
    "dpm++2m-sde": (scheduling_dpmsolver_multistep, run_dpm_solver_sde),
    "dpm++2s": (scheduling_dpmsolver_singlestep, run_dpm_singlestep),
    "euler": (scheduling_euler_discrete, run_euler),
    "heun": (scheduling_heun_discrete, run_heun),
    "unipc": (scheduling_unipc_multistep, run_unipc),
}


def comparable(sampler, beta, spacing, steps):
    """Leaves out what the reference has not, or where it is not to be followed; README.md says why."""
    karras = spacing.get("use_karras_sigmas", False)
    if sampler in ("ddim", "ddpm") and karras:
        return False
    if sampler.startswith("dpm++2") and karras and beta["beta_schedule"] == "squaredcos_cap_v2":
        return False
    return not (steps == 1 and spacing["timestep_spacing"] == "linspace" and sampler in ("ddim", "ddpm", "euler", "heun"))


def cases():
    """Every sampler, noise schedule and spacing with every prediction, and with the step counts taken in turn."""
    turn = itertools.count()
    for (sampler, eta), beta, spacing, prediction in itertools.product(SAMPLERS, BETAS, SPACINGS, PREDICTIONS):
        counts = [steps for steps in STEPS if comparable(sampler, beta, spacing, steps)]
        if not counts:
            continue
        steps = counts[next(turn) % len(counts)]
        config = {"num_train_timesteps": 1000, "prediction_type": prediction, **beta, **spacing}
        if sampler == "ddim" and spacing["steps_offset"] == 1:
            config["set_alpha_to_one"] = False
        if sampler in ("dpm++2m", "dpm++2m-sde", "euler", "unipc") and prediction == "v_prediction" and beta["beta_schedule"] == "scaled_linear":
            config["rescale_betas_zero_snr"] = True
        yield {"sampler": sampler, "eta": eta, "steps": steps, "config": config}


def run(case, noise, step_noise):
    _, function = RUNS[case["sampler"]]
    levels, states = function(case["config"], case["steps"], case["eta"], noise, step_noise)
    return torch.tensor(levels, dtype=torch.float64), torch.stack(states)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", help="safetensors file to write")
    arguments = parser.parse_args()

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(SHAPE, dtype=torch.float64, generator=generator)
    step_noise = torch.randn((max(STEPS), *SHAPE), dtype=torch.float64, generator=generator)
    tensors, described = {"noise": noise, "step_noise": step_noise}, []
    for index, case in enumerate(cases()):
        single, _ = run(case, noise.float(), step_noise.float())
        with double_precision(RUNS[case["sampler"]][0]):
            levels, states = run(case, noise, step_noise)
        assert states.dtype == torch.float64 and torch.isfinite(states).all(), case
        # Double precision must have changed the rounding and nothing else.
        assert torch.allclose(levels, single, rtol=5e-3, atol=1e-5), (case, levels, single)
        tensors[f"{index}/levels"] = levels
        tensors[f"{index}/states"] = states
        described.append(case)
    # One entry of metadata only: the order of several would change from run to run.
    description = {"diffusers": diffusers.__version__, "cases": described}
    save_file(tensors, arguments.output, {"description": json.dumps(description)})
    print(f"{len(described)} cases by diffusers {diffusers.__version__} in {arguments.output}")


if __name__ == "__main__":
    main()
