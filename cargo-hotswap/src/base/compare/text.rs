//! A comparison of builds in words.

use std::path::Path;

use super::{Compared, Comparison, Cpu, Kind, Of};

/// What a build is called.
pub(super) fn name(kind: Kind, profile: &str) -> String {
    match kind {
        Kind::Own => format!("your profile `{profile}`"),
        Kind::FatLto => "fat LTO, one codegen unit".to_owned(),
        Kind::Patchable => "patchable".to_owned(),
    }
}

/// The name of the folder that its executable is kept in.
pub(super) fn folder(kind: Kind) -> &'static str {
    match kind {
        Kind::Own => "own",
        Kind::FatLto => "fat-lto",
        Kind::Patchable => "patchable",
    }
}

/// What is built now, and why.
pub(super) fn building(target: &str, kind: Kind, profile: &str, folder: &Path) -> String {
    let why = match kind {
        Kind::Own => format!("by plain cargo and your profile `{profile}` as it is"),
        Kind::FatLto => format!(
            "with fat link-time optimisation too, which `{profile}` does not have, to show what it would give; \
             `--compare=own` leaves it out"
        ),
        Kind::Patchable => "so that it takes patches".to_owned(),
    };
    format!("{target} {why} ({})", folder.display())
}

/// A status line for each size and each time.
pub(super) fn lines(comparison: &Comparison) -> Vec<(&'static str, String)> {
    let builds = comparison.builds.iter();
    let mut lines = Vec::new();
    for build in builds.clone() {
        lines.push(("Size", size(build, &comparison.profile)));
    }
    let Some(run) = &comparison.run else {
        return lines;
    };
    let whose = match run.of {
        Of::Command => "the command",
        Of::Program => "the program",
    };
    for build in builds {
        let Some(cpu) = &build.cpu else { continue };
        let text = match build.build {
            Kind::Own => format!(
                "{} of CPU time of {whose}, the median of {} rounds",
                seconds(cpu.median_seconds),
                run.rounds
            ),
            _ => time(cpu),
        };
        let name = name(build.build, &comparison.profile);
        lines.push(("Speed", format!("{name}: {text}")));
    }
    lines
}

fn size(build: &Compared, profile: &str) -> String {
    let name = name(build.build, profile);
    let amount = |bytes: u64, ratio: f64| {
        let megabytes = bytes as f64 / 1e6;
        match build.build {
            Kind::Own => format!("{megabytes:.1} MB"),
            _ => format!("{megabytes:.1} MB ({ratio:.2} times)"),
        }
    };
    format!(
        "{name}: {}, of which {} are loaded",
        amount(build.file_bytes, build.file_ratio),
        amount(build.loaded_bytes, build.loaded_ratio)
    )
}

fn time(cpu: &Cpu) -> String {
    let Cpu {
        ratio, from, to, ..
    } = cpu;
    format!(
        "{}, {ratio:.3} times (95 % confidence: {from:.3} to {to:.3})",
        seconds(cpu.median_seconds)
    )
}

fn seconds(seconds: f64) -> String {
    match seconds < 1.0 {
        true => format!("{:.1} ms", seconds * 1e3),
        false => format!("{seconds:.3} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{Run, cpu};
    use super::*;

    fn build(build: Kind, megabytes: [f64; 2], seconds: Option<&[f64]>) -> Compared {
        Compared {
            build,
            executable: PathBuf::new(),
            file_bytes: (megabytes[0] * 1e6) as u64,
            loaded_bytes: (megabytes[1] * 1e6) as u64,
            file_ratio: megabytes[0] / 2.0,
            loaded_ratio: megabytes[1],
            cpu: seconds.map(|seconds| cpu(seconds, &[0.5, 0.5, 0.7])),
        }
    }

    fn shown(run: Option<Run>, builds: Vec<Compared>) -> Vec<String> {
        let profile = "release".to_owned();
        let comparison = Comparison {
            profile,
            run,
            builds,
        };
        let lines = lines(&comparison).into_iter();
        lines.map(|(verb, text)| format!("{verb} {text}")).collect()
    }

    #[test]
    fn sizes_alone() {
        let builds = vec![
            build(Kind::Own, [2.0, 1.0], None),
            build(Kind::Patchable, [5.0, 1.5], None),
        ];
        assert_eq!(
            shown(None, builds),
            [
                "Size your profile `release`: 2.0 MB, of which 1.0 MB are loaded",
                "Size patchable: 5.0 MB (2.50 times), of which 1.5 MB (1.50 times) are loaded",
            ]
        );
    }

    #[test]
    fn sizes_and_times() {
        let run = |of| Run {
            command: "work".to_owned(),
            rounds: 3,
            of,
        };
        for (of, whose) in [(Of::Command, "the command"), (Of::Program, "the program")] {
            let builds = vec![
                build(Kind::Own, [2.0, 1.0], Some(&[0.5, 0.5, 0.7])),
                build(Kind::FatLto, [1.0, 0.8], Some(&[0.25, 0.25, 0.35])),
                build(Kind::Patchable, [5.0, 1.5], Some(&[1.0, 1.1, 1.3])),
            ];
            assert_eq!(
                shown(Some(run(of)), builds)[3..],
                [
                    format!(
                        "Speed your profile `release`: 500.0 ms of CPU time of {whose}, the median of 3 rounds"
                    ),
                    "Speed fat LTO, one codegen unit: 250.0 ms, 0.500 times (95 % confidence: 0.500 to 0.500)"
                        .to_owned(),
                    "Speed patchable: 1.100 s, 2.014 times (95 % confidence: 1.631 to 2.487)".to_owned(),
                ]
            );
        }
    }

    #[test]
    fn what_is_built_says_why() {
        let shown = |kind| building("app", kind, "release", Path::new("t/compare"));
        assert_eq!(
            shown(Kind::Own),
            "app by plain cargo and your profile `release` as it is (t/compare)"
        );
        assert_eq!(
            shown(Kind::FatLto),
            "app with fat link-time optimisation too, which `release` does not have, to show what it would give; \
             `--compare=own` leaves it out (t/compare)"
        );
    }
}
