//! Results for machines. This is a published interface: a field keeps its name and its meaning as long as `version`
//! stays the same, and new ones may come in at any time.
//!
//! ```json
//! {"format": "leaselab-results", "version": 1, "results": [{"scenario": "power-loss", "verdict": "holds", ...}]}
//! ```

use crate::results::Judged;
use serde::Serialize;

/// The version of the format.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    results: &'a [Judged],
}

/// All results as one document.
pub fn results(judged: &[Judged]) -> String {
    let document = Document { format: "leaselab-results", version: VERSION, results: judged };
    let mut text = serde_json::to_string_pretty(&document).expect("plain numbers and texts can be written as JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::found;
    use crate::searched::tests::search;
    use scenarios::Expected;

    #[test]
    fn the_published_fields_are_there() {
        let text = results(&[found(&Expected::Holds).judge()]);
        let document: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(document["format"], "leaselab-results");
        assert_eq!(document["version"], 1);
        let result = document["results"][0].as_object().expect("an object");
        for field in [
            "scenario",
            "profile",
            "verdict",
            "expected",
            "property",
            "seed",
            "digest",
            "trace",
            "limits",
            "fired",
            "seeds",
            "actions",
            "host_seconds",
            "seconds",
        ] {
            assert!(result.contains_key(field), "{field} is missing in {text}");
        }
        assert_eq!(result["digest"], "0000000000000abc");
        assert_eq!(result["limits"]["damage"], 0);
        assert!(result["limits"]["crashes"].is_null());
        assert_eq!(result["fired"]["power-loss"], 7);
        assert!(!result.contains_key("unique_states"));
    }

    #[test]
    fn a_search_has_fields_of_its_own() {
        let text = results(&[search(&Expected::Holds).judge()]);
        let document: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let result = document["results"][0].as_object().expect("an object");
        assert_eq!((&result["complete"], &result["threads"]), (&true.into(), &2.into()));
        assert_eq!((&result["unique_states"], &result["generated_states"]), (&1_000.into(), &3_000.into()));
        assert_eq!(result["bytes_per_state"], 23.5);
        assert!(result["digest"].is_null() && result["seed"].is_null());
        assert_eq!(result["verdict"], "holds");
    }
}
