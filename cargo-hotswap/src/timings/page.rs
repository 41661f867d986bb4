//! The times as a page that needs nothing but a browser.

use anyhow::{Context, Result};

use super::TimingsReport;

/// The page around the data: markup, style and script in one file.
const PAGE: &str = include_str!("page.html");

/// Where the data goes.
const PLACEHOLDER: &str = "\"$DATA\"";

/// The whole page.
///
/// # Errors
///
/// A path is not UTF-8.
pub fn html(report: &TimingsReport) -> Result<String> {
    let json = serde_json::to_string(report).context("the report has no JSON form")?;
    // Inside a script element nothing may look like its end, or like the start of a comment.
    let json = json.replace('<', "\\u003c");
    Ok(PAGE.replace(PLACEHOLDER, &json))
}

#[cfg(test)]
mod tests {
    use super::{PAGE, PLACEHOLDER, html};
    use crate::timings::TimingsReport;

    #[test]
    fn the_page_needs_no_network_and_has_one_place_for_data() {
        assert_eq!(PAGE.matches(PLACEHOLDER).count(), 1);
        for foreign in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn data_stays_data() {
        let report = TimingsReport {
            name: "</script><script>alert(1)</script><!--".to_owned(),
            ..TimingsReport::default()
        };
        let page = html(&report).unwrap();
        assert!(page.contains("\\u003c/script>"));
        assert!(!page.contains("alert(1)</script>"));
    }
}
