//! The times as a table in the terminal.

use std::fmt::Write as _;

use super::TimingsReport;
use super::figures::{Figures, Series};

/// A table of medians, with what else happened above it.
pub fn table(report: &TimingsReport) -> String {
    let figures = &report.figures;
    let mut text = format!("{}: {}\n", report.name, counts(figures));
    let shown = if figures.later.count > 0 {
        &figures.later
    } else {
        &figures.first
    };
    if shown.count == 0 {
        text += "  nothing has gone live yet\n";
        return text;
    }
    let _ = writeln!(
        text,
        "  {:<10}{:>12}{:>12}{:>14}",
        "", "median", "p95", "first edit"
    );
    let first = |at: usize| figures.first.phases.get(at).map(|phase| phase.ms.median);
    for (at, phase) in shown.phases.iter().enumerate() {
        let mark = figures
            .slowest
            .as_ref()
            .filter(|one| one.name == phase.name);
        let note = mark.map(|slowest| format!("   slowest, {:.0} %", slowest.part * 100.0));
        row(
            &mut text,
            &phase.name,
            figures,
            (phase.ms.median, phase.ms.p95),
            first(at),
        );
        text += &note.unwrap_or_default();
        text.push('\n');
    }
    let total = (shown.total.median, shown.total.p95);
    let of_first = (figures.first.count > 0).then_some(figures.first.total.median);
    row(&mut text, "total", figures, total, of_first);
    text.push('\n');
    text
}

/// A line without its end; the times of later edits are left out while there are none.
fn row(text: &mut String, name: &str, figures: &Figures, times: (f64, f64), first: Option<f64>) {
    let later = |ms: f64| cell((figures.later.count > 0).then_some(ms));
    let (median, p95, first) = (later(times.0), later(times.1), cell(first));
    let _ = write!(text, "  {name:<10}{median:>12}{p95:>12}{first:>14}");
}

fn cell(ms: Option<f64>) -> String {
    ms.map_or_else(|| "-".to_owned(), milliseconds)
}

/// Milliseconds with as many digits as mean something.
fn milliseconds(ms: f64) -> String {
    if ms < 9.95 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.0} ms")
    }
}

fn counts(figures: &Figures) -> String {
    let Series { count: first, .. } = figures.first;
    let live = first + figures.later.count;
    let mut text = format!("{live} {} live", if live == 1 { "edit" } else { "edits" });
    for (count, one, several) in [
        (figures.reverts, "revert", "reverts"),
        (figures.refused, "refused", "refused"),
        (figures.compile_errors, "did not compile", "did not compile"),
        (figures.failed, "failed", "failed"),
        (figures.unchanged, "changed no code", "changed no code"),
        (figures.restarts, "restart", "restarts"),
    ] {
        match count {
            0 => {}
            1 => {
                let _ = write!(text, ", 1 {one}");
            }
            _ => {
                let _ = write!(text, ", {count} {several}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::status::{Swap, SwapOutcome};
    use crate::timings::TimingsReport;
    use crate::timings::figures::Figures;
    use crate::timings::figures::tests::swap;

    fn check(swaps: &[Swap], expected: &str) {
        let report = TimingsReport {
            name: "chat".to_owned(),
            figures: Figures::of(swaps, 2),
            ..TimingsReport::default()
        };
        assert_eq!(table(&report), expected);
    }

    #[test]
    fn tables() {
        check(
            &[],
            "chat: 0 edits live, 1 restart\n  nothing has gone live yet\n",
        );
        check(
            &[swap(1, 300.0, 9.04)],
            "chat: 1 edit live, 1 restart\n  \
             \x20               median         p95    first edit\n  \
             compile              -           -        300 ms   slowest, 97 %\n  \
             load                 -           -        9.0 ms\n  \
             total                -           -        309 ms\n",
        );
        let refused = Swap {
            outcome: SwapOutcome::Refused,
            ..Swap::default()
        };
        check(
            &[
                swap(1, 300.0, 9.0),
                swap(2, 100.0, 2.0),
                swap(3, 120.0, 3.0),
                refused,
            ],
            "chat: 3 edits live, 1 refused, 1 restart\n  \
             \x20               median         p95    first edit\n  \
             compile         100 ms      120 ms        300 ms   slowest, 98 %\n  \
             load            2.0 ms      3.0 ms        9.0 ms\n  \
             total           102 ms      123 ms        309 ms\n",
        );
    }
}
