//! A large picture stays within the memory that was given.

use std::process::Stdio;

use kds_tests::command::kds;
use kds_tests::pairs::Pair;

/// What the whole process may hold, libtorch and the pictures included. The result alone has 150 million values, and the
/// largest tiles do not fit.
const BUDGET_MIB: u64 = 2 * 1024;

#[test]
fn a_photograph_of_3_megapixels_stays_within_its_budget() {
    let folder = tempfile::tempdir().unwrap();
    let kitten = Pair::examples().unwrap().into_iter().find(|pair| pair.name == "kitten").unwrap();
    let large = image::imageops::resize(&kitten.truth, 2048, 1536, image::imageops::FilterType::Triangle);
    let (input, output) = (folder.path().join("large.png"), folder.path().join("larger.png"));
    large.save(&input).unwrap();

    let status = kds()
        .unwrap()
        .arg("restore")
        .arg(&input)
        .arg("-o")
        .arg(&output)
        .args(["--particles", "1", "--steps", "1", "--memory", &format!("{BUDGET_MIB}MiB")])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the structure is writable. This process has had no other child.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) }, 0);
    // SAFETY: getrusage has filled it in.
    let peak_mib = unsafe { usage.assume_init() }.ru_maxrss as u64 / 1024;
    println!("peak {peak_mib} MiB of {BUDGET_MIB} MiB");
    assert!(peak_mib <= BUDGET_MIB, "peak {peak_mib} MiB, budget {BUDGET_MIB} MiB");
    assert_eq!(image::image_dimensions(&output).unwrap(), (8192, 6144));
}
