//! Results as JUnit XML, which every CI shows. A verdict that was not expected is a failure, an undecided one an error.

use crate::results::{Judged, Standing};
use scenarios::limits_text;
use std::fmt::Write as _;

/// All results as one test suite.
pub fn results(judged: &[Judged]) -> String {
    let count = |standing| judged.iter().filter(|judged| judged.standing == standing).count();
    let (failures, errors) = (count(Standing::Unexpected), count(Standing::Undecided));
    let seconds = judged.iter().map(|judged| judged.counts.seconds).sum::<f64>();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let sums = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\"", judged.len());
    xml += &format!("<testsuites name=\"leaselab\" {sums}>\n  <testsuite name=\"leaselab\" {sums}>\n");
    for judged in judged {
        case(&mut xml, judged).expect("a String takes everything");
    }
    xml += "  </testsuite>\n</testsuites>\n";
    xml
}

fn case(xml: &mut String, judged: &Judged) -> std::fmt::Result {
    let (name, class) = (escaped(&judged.scenario), escaped(judged.profile));
    writeln!(xml, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{:.3}\">", judged.counts.seconds)?;
    let element = match judged.standing {
        Standing::Expected => None,
        Standing::Unexpected => Some("failure"),
        Standing::Undecided => Some("error"),
    };
    if let Some(element) = element {
        let kind = escaped(judged.property.as_deref().unwrap_or("undecided"));
        writeln!(xml, "      <{element} type=\"{kind}\" message=\"{}\"/>", escaped(&judged.why))?;
    }
    let seed = judged.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    let counted = match &judged.searched {
        Some(searched) => format!(
            "{} unique states, {} generated; {}",
            searched.unique_states,
            searched.generated_states,
            searched.world.join("; ")
        ),
        None => format!("{} seeds, digest {:016x}", judged.counts.seeds, judged.digest.unwrap_or(0)),
    };
    let told = format!("{} ({}){seed}; {counted}; limits: {}", judged.verdict, judged.why, limits_text(&judged.limits));
    writeln!(xml, "      <system-out>{}</system-out>", escaped(&told))?;
    writeln!(xml, "    </testcase>")
}

/// Text as it may stand in an element or an attribute. What XML cannot say at all becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => xml += "&amp;",
            '<' => xml += "&lt;",
            '>' => xml += "&gt;",
            '"' => xml += "&quot;",
            '\'' => xml += "&apos;",
            '\n' => xml += "&#10;",
            '\t' => xml += "&#9;",
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            other => xml.push(other),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::found;
    use crate::results::{Breach, Found};
    use crate::searched::tests::search;
    use scenarios::Expected;

    #[test]
    fn what_xml_cannot_say_is_escaped() {
        assert_eq!(escaped("a<b & \"c\"\u{1}\n"), "a&lt;b &amp; &quot;c&quot;\u{fffd}&#10;");
    }

    #[test]
    fn failures_and_errors_are_counted() {
        let breach = Breach { property: "I-EX".to_owned(), seed: 3, what: "A & B own R1".to_owned() };
        let bad = Found { breach: Some(breach), ..found(&Expected::Holds) }.judge();
        let good = found(&Expected::Holds).judge();
        let xml = results(&[bad, good.clone()]);
        assert!(xml.contains("tests=\"2\" failures=\"1\" errors=\"0\" time=\"3.000\""), "{xml}");
        assert!(xml.contains("<failure type=\"I-EX\" message=\"A &amp; B own R1; 1 of 300 seeds: "), "{xml}");
        assert_eq!(xml.matches("<testcase").count(), 2);
        assert_eq!(xml.matches("</testcase>").count(), 2);

        let searched = results(&[search(&Expected::Holds).judge(), good]);
        assert!(searched.contains("1000 unique states, 3000 generated; ballots without time"), "{searched}");
    }
}
