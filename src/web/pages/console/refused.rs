//! A form that comes back because it was refused: what was typed stays typed, and what is wrong stands beside it.

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// One field. The text stands beside it, and the focus is in it.
    Field { name: String, text: String },
    /// All of it. The focus is on what is said.
    Form { headline: &'static str, text: String },
}

/// One refused form of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which form of the page: the last part of its action, after the transfer's id where it is about one.
    pub form: String,
    /// Fields and what was typed in them, in the order of the form.
    pub typed: Vec<(String, String)>,
    pub wrong: Wrong,
}

impl Refused {
    /// What was written in the person's own words, for a page that may not have the form any more.
    pub fn words(&self) -> Option<&str> {
        let own = ["reason", "why"];
        self.typed
            .iter()
            .find(|(name, text)| own.contains(&name.as_str()) && !text.is_empty())
            .map(|(_, text)| text.as_str())
    }
}

/// A form as its template prints it: empty, or as it came back.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a>(Option<&'a Refused>);

impl<'a> Form<'a> {
    /// One form of a page on which at most one was refused.
    pub fn of(refused: Option<&'a Refused>, form: &str) -> Self {
        Self(refused.filter(|refused| refused.form == form))
    }

    /// Whether it came back, and is shown without being opened.
    pub fn is_back(&self) -> bool {
        self.0.is_some()
    }

    /// What was typed in a field.
    pub fn value(&self, field: &str) -> &'a str {
        self.value_or(field, "")
    }

    /// What was typed in a field, or what stands there at first.
    pub fn value_or(&self, field: &str, first: &'a str) -> &'a str {
        let typed = self.0.and_then(|refused| refused.typed.iter().find(|(name, _)| name == field));
        typed.map_or(first, |(_, value)| value.as_str())
    }

    /// Whether one of several values was chosen.
    pub fn has(&self, field: &str, value: &str) -> bool {
        self.0.is_some_and(|refused| refused.typed.iter().any(|(name, chosen)| name == field && chosen == value))
    }

    /// What is wrong with a field.
    pub fn wrong(&self, field: &str) -> Option<&'a str> {
        match &self.0?.wrong {
            Wrong::Field { name, text } if name == field => Some(text),
            Wrong::Field { .. } | Wrong::Form { .. } => None,
        }
    }
}
