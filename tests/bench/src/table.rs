//! What is printed at the end.

/// One line.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The hub.
    pub measured: String,
    /// What is bare, in the same run.
    pub bare: String,
    /// The hub's share of it.
    pub ratio: Option<f64>,
    /// What must be reached.
    pub must: String,
    /// Whether it is; absent when nothing is asked.
    pub reached: Option<bool>,
}

impl Row {
    /// A rate that must be at least this share of the bare one.
    pub fn share(what: String, unit: &str, hub: f64, bare: f64, least: f64) -> Self {
        Row {
            what,
            measured: format!("{hub:.0} {unit}"),
            bare: format!("{bare:.0} {unit}"),
            ratio: Some(hub / bare),
            must: format!("≥ {least} of bare"),
            reached: Some(hub / bare >= least),
        }
    }

    /// An amount that must stay below a bound.
    pub fn below(what: impl Into<String>, unit: &str, amount: f64, bound: f64) -> Self {
        Row {
            what: what.into(),
            measured: format!("{amount:.1} {unit}"),
            bare: String::new(),
            ratio: None,
            must: format!("< {bound} {unit}"),
            reached: Some(amount < bound),
        }
    }

    /// Something to know, of which nothing is asked.
    pub fn told(what: impl Into<String>, measured: impl Into<String>) -> Self {
        let (bare, must) = (String::new(), String::new());
        Row { what: what.into(), measured: measured.into(), bare, ratio: None, must, reached: None }
    }

    /// An amount of which nothing is asked, and the bare one.
    pub fn plain(what: String, unit: &str, hub: f64, bare: f64) -> Self {
        Row {
            what,
            measured: format!("{hub:.1} {unit}"),
            bare: format!("{bare:.1} {unit}"),
            ratio: Some(hub / bare),
            must: String::new(),
            reached: None,
        }
    }

    /// Something that could not be measured.
    pub fn absent(what: impl Into<String>, why: impl Into<String>) -> Self {
        let (bare, must) = (String::new(), String::new());
        Row { what: what.into(), measured: why.into(), bare, ratio: None, must, reached: None }
    }

    /// With the bare amount beside it.
    pub fn beside(mut self, bare: String, ratio: Option<f64>) -> Self {
        self.bare = bare;
        self.ratio = ratio;
        self
    }
}

/// Prints all rows under each other.
pub fn print(rows: &[Row]) {
    let head = ["what", "measured", "bare", "ratio", "must reach", ""].map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    println!();
    for (at, line) in lines.iter().enumerate() {
        let padded = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        println!("| {} |", padded.collect::<Vec<_>>().join(" | "));
        if at == 0 {
            println!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|"));
        }
    }
}

fn cells(row: &Row) -> [String; 6] {
    let reached = match row.reached {
        Some(true) => "ok",
        Some(false) => "SHORT",
        None => "",
    };
    let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
    [row.what.clone(), row.measured.clone(), row.bare.clone(), ratio, row.must.clone(), reached.to_owned()]
}

/// The value that so many of a hundred stay below.
pub fn percentile(values: &mut [u32], percent: usize) -> f64 {
    values.sort_unstable();
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).map_or(f64::NAN, |value| f64::from(*value))
}
