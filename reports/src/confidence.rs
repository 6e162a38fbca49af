//! What a number of seeds is worth: how rare a violation may still be after so many runs, or how common.
//!
//! Without a violation in n seeds, the share of seeds that violate is below 3/n with 95 % confidence (the rule of three,
//! which is 1 - 0.05^(1/n) rounded up). With violations it lies in the interval of Clopper and Pearson: the shares under
//! which as many as were found, or as few, would not be a surprise of less than 2.5 % (C. Clopper and E. Pearson, "The
//! use of confidence or fiducial limits illustrated in the case of the binomial", 1934). A campaign that stops at its
//! first violation has not drawn a fixed number of seeds; the lower end is then exact and the upper one too high, so
//! that the interval still covers.
//!
//! It refuses to say anything of seeds that were not drawn: seeds from 0 on are as good as any others, but a seed that
//! somebody picked is no sample.

use serde::Serialize;
use std::fmt::Write as _;

/// How sure it is.
pub const LEVEL: f64 = 0.95;

/// The share of seeds that violate, as far as it is known.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Share {
    /// Seeds that were run.
    pub seeds: u64,
    /// Seeds that violated something.
    pub violating: u64,
    /// The least share that is likely.
    pub low: f64,
    /// The greatest share that is likely.
    pub high: f64,
    /// How likely it is that the share lies between them: [`LEVEL`].
    pub level: f64,
}

impl Share {
    /// What `violating` of `seeds` say.
    ///
    /// # Panics
    ///
    /// If more violate than there are, or if there are none.
    pub fn of(violating: u64, seeds: u64) -> Share {
        assert!(seeds > 0 && violating <= seeds, "{violating} of {seeds}");
        let (low, high) = match violating {
            // One-sided: nothing can be rarer than never, so all doubt is on the other side.
            0 => (0.0, 1.0 - (1.0 - LEVEL).powf(1.0 / seeds as f64)),
            _ => clopper_pearson(violating, seeds, LEVEL),
        };
        Share { seeds, violating, low, high, level: LEVEL }
    }

    /// In words, as the rest of a sentence.
    pub fn words(&self) -> String {
        if self.violating > 0 {
            return format!(
                "{} of {} seeds: with 95 % confidence {} to {} of all seeds (Clopper-Pearson)",
                self.violating,
                self.seeds,
                percent(self.low),
                percent(self.high)
            );
        }
        confidence(self.seeds)
    }
}

/// What so many seeds without a violation are worth, by the rule of three.
pub fn confidence(seeds: u64) -> String {
    match seeds / 3 {
        0 | 1 => format!("{seeds} seeds: too few to say how rare one would be"),
        rarer => format!("{seeds} seeds: with 95 % confidence fewer than 1 in {rarer} seeds (rule of three)"),
    }
}

/// A share with two digits that count.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let mut text = String::new();
    let digits = match percent {
        0.0 | 10.0.. => 0,
        _ => (1.0 - percent.log10().floor()).max(0.0) as usize,
    };
    let _ = write!(text, "{percent:.digits$} %");
    text
}

/// The exact interval for a share of which `found` of `of` were seen, at this level.
pub fn clopper_pearson(found: u64, of: u64, level: f64) -> (f64, f64) {
    let (found, of, tail) = (found as f64, of as f64, (1.0 - level) / 2.0);
    // P(X >= k) is the incomplete beta function of (k, n - k + 1), which rises with the share.
    let low = if found == 0.0 { 0.0 } else { rising(|share| beta(share, found, of - found + 1.0), tail) };
    let high = if found == of { 1.0 } else { rising(|share| beta(share, found + 1.0, of - found), 1.0 - tail) };
    (low, high)
}

/// Where a function that rises from 0 to 1 over the shares from 0 to 1 comes to `value`.
fn rising(function: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // A double has no more bits to halve, even near zero.
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if function(middle) < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The regularised incomplete beta function, for `a` and `b` of at least 1.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges quickly on this side of the bulk; on the other the function is its own mirror image.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(1.0 - x, b, a);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    front.exp() / (a * fraction(x, a, b))
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8), from its front to its back by
/// the method of Lentz.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let kept = |number: f64| if number.abs() < TINY { TINY } else { number };
    let (mut value, mut over, mut under) = (1.0, 1.0, 0.0);
    for step in 1..100_000_u32 {
        let m = f64::from(step / 2);
        let term = match step % 2 {
            1 => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
            _ => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
        };
        under = 1.0 / kept(1.0 + term * under);
        over = kept(1.0 + term / over);
        let change = over * under;
        value *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a positive number, by Stirling's series beyond 10.
fn ln_gamma(number: f64) -> f64 {
    let (mut large, mut shifted) = (number, 0.0);
    while large < 10.0 {
        shifted += large.ln();
        large += 1.0;
    }
    let square = 1.0 / (large * large);
    // The coefficients are B(2k) / (2k (2k - 1)), of the Bernoulli numbers.
    let series =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1_260.0, -1.0 / 1_680.0, 1.0 / 1_188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    let series = series.iter().rev().fold(0.0, |sum, term| sum * square + term) / large;
    (large - 0.5) * large.ln() - large + (2.0 * std::f64::consts::PI).sqrt().ln() + series - shifted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-8, "expected {expected}, found {found}");
    }

    #[test]
    fn the_gamma_function_is_the_factorial() {
        for (number, factorial) in [(1.0, 1.0_f64), (2.0, 1.0), (5.0, 24.0), (11.0, 3_628_800.0)] {
            assert_near(ln_gamma(number), factorial.ln());
        }
        assert_near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
    }

    #[test]
    fn the_interval_is_that_of_the_tables() {
        // Worked out from the sums of the binomial distribution.
        for (found, of, low, high) in [
            (1, 1, 0.025_000_000, 1.000_000_000),
            (1, 10, 0.002_528_579, 0.445_016_117),
            (5, 10, 0.187_086_028, 0.812_913_972),
            (10, 10, 0.691_502_892, 1.000_000_000),
            (3, 20, 0.032_070_937, 0.378_926_827),
            (10, 100, 0.049_004_689, 0.176_222_598),
            (1, 17, 0.001_488_174, 0.286_889_397),
            (3, 900, 0.000_687_942, 0.009_710_246),
        ] {
            let interval = clopper_pearson(found, of, LEVEL);
            assert_near(interval.0, low);
            assert_near(interval.1, high);
        }
    }

    #[test]
    fn the_interval_agrees_with_the_sums_it_stands_for() {
        let chance = |k: u32, n: u32, p: f64| {
            let choose = ln_gamma(f64::from(n) + 1.0) - ln_gamma(f64::from(k) + 1.0) - ln_gamma(f64::from(n - k) + 1.0);
            (choose + f64::from(k) * p.ln() + f64::from(n - k) * (-p).ln_1p()).exp()
        };
        for (found, of) in [(2, 50), (7, 300), (299, 300), (40, 5_000)] {
            let (low, high) = clopper_pearson(u64::from(found), u64::from(of), LEVEL);
            assert_near((found..=of).map(|k| chance(k, of, low)).sum(), 0.025);
            assert_near((0..=found).map(|k| chance(k, of, high)).sum(), 0.025);
        }
    }

    #[test]
    fn large_numbers_converge() {
        let (low, high) = clopper_pearson(1_000_000, 2_000_000, LEVEL);
        // The normal approximation is as good as exact here.
        let half = 1.959_963_985 * (0.25_f64 / 2_000_000.0).sqrt();
        assert!((low - (0.5 - half)).abs() < 1e-6 && (high - (0.5 + half)).abs() < 1e-6, "{low} {high}");
        let (low, high) = clopper_pearson(1, 1_000_000_000, LEVEL);
        assert!((low * 1e9 - 0.025_318).abs() < 1e-5 && (high * 1e9 - 5.571_64).abs() < 1e-4, "{low} {high}");
    }

    #[test]
    fn without_a_violation_the_rule_of_three_is_just_above_the_exact_bound() {
        for (seeds, exact) in [(1, 0.95), (10, 0.258_865_551), (100, 0.029_513_050), (1_000, 0.002_991_249)] {
            let share = Share::of(0, seeds);
            assert_near(share.high, exact);
            assert!(share.low == 0.0 && share.high < 3.0 / seeds as f64);
        }
        assert!(confidence(3_000).ends_with("fewer than 1 in 1000 seeds (rule of three)"));
        assert!(confidence(2).ends_with("too few to say how rare one would be"));
    }

    #[test]
    fn shares_are_told_with_two_digits() {
        let told = Share::of(1, 17).words();
        assert_eq!(told, "1 of 17 seeds: with 95 % confidence 0.15 % to 29 % of all seeds (Clopper-Pearson)");
        assert_eq!([0.0, 0.000_012_34, 0.034, 0.5, 1.0].map(percent).join(", "), "0 %, 0.0012 %, 3.4 %, 50 %, 100 %");
    }
}
