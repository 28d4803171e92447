//! A played table of call detail records: it answers the questions that the source asks of one.

use std::cell::Cell;

use cordboard_sdk::bindings::base::cordboard::hub::host::Content;
use cordboard_sdk::http::Error;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::Outside;

/// Columns that an Asterisk writes, as far as they are read.
const COLUMNS: [&str; 14] = [
    "calldate",
    "clid",
    "src",
    "dst",
    "channel",
    "dstchannel",
    "lastapp",
    "duration",
    "billsec",
    "disposition",
    "uniqueid",
    "did",
    "recordingfile",
    "linkedid",
];
const BETWEEN: &str = "select * from cdr where calldate >= $1 and calldate < $2";

pub struct Table {
    pub outside: Outside,
    rows: Vec<Vec<Option<String>>>,
    /// More rows are too many.
    pub most: usize,
    /// There is a column `linkedid`.
    pub linked: bool,
    /// Questions so far.
    pub asked: Cell<usize>,
}

impl Table {
    pub fn new(outside: Outside) -> Self {
        Self { outside, rows: vec![], most: 10_000, linked: true, asked: Cell::new(0) }
    }

    /// One more row: its values in the order of the columns.
    pub fn row(&mut self, text: &str) {
        let row: Vec<_> = text.split('|').map(|value| (value != "NULL").then(|| value.to_owned())).collect();
        assert_eq!(row.len(), COLUMNS.len(), "{text}");
        self.rows.push(row);
    }
}

impl Host for Table {
    fn settings(&self) -> &str {
        Host::settings(&self.outside)
    }

    fn grant(&self) -> Option<Grant> {
        None
    }

    fn log(&self, _: Level, message: &str) {
        panic!("nothing to say, yet: {message}");
    }

    fn now(&self) -> u64 {
        self.outside.now()
    }

    fn random(&self, _: &mut [u8]) {
        panic!("nothing is left to chance");
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        panic!("{} was asked for", request.url);
    }

    fn fetch(&self, url: &str, _: u64) -> Result<Content, Failure> {
        panic!("{url} was fetched");
    }

    fn query(&self, database: &str, statement: &str, parameters: &[&str]) -> Result<Rows, Failure> {
        self.asked.set(self.asked.get() + 1);
        assert_eq!(database, "cdr");
        let (from, to, keys) = (parameters[0], parameters[1], &parameters[2..]);
        assert!(from < to, "{from} to {to} can be no row");
        let places = (3..parameters.len() + 1).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
        let and = match (keys.is_empty(), self.linked) {
            (true, _) => String::new(),
            (false, true) => format!(" and (uniqueid in ({places}) or linkedid in ({places}))"),
            (false, false) => format!(" and uniqueid in ({places})"),
        };
        assert_eq!(statement, format!("{BETWEEN}{and} order by calldate"));
        let columns = COLUMNS.len() - usize::from(!self.linked);
        let value = |row: &[Option<String>], column: usize| row[column].clone().unwrap_or_default();
        let wanted = |row: &&Vec<Option<String>>| {
            let of_key = [10, 13].iter().filter(|at| **at < columns).any(|at| keys.contains(&value(row, *at).as_str()));
            *from <= *value(row, 0) && *value(row, 0) < *to && (keys.is_empty() || of_key)
        };
        let mut rows: Vec<_> = self.rows.iter().filter(wanted).map(|row| row[..columns].to_vec()).collect();
        if rows.len() > self.most {
            return Err(Failure::rejected("too-large", format!("more than {} rows", self.most)));
        }
        rows.sort_by_key(|row| value(row, 0));
        let columns = COLUMNS[..columns].iter().filter(|_| !rows.is_empty()).map(|&name| name.to_owned());
        Ok(Rows { columns: columns.collect(), rows })
    }

    fn ledger(&self) -> &dyn Ledger {
        self.outside.office()
    }
}
