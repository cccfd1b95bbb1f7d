//! Values of a command line as Rust expressions that fit the fields of a struct.

use std::fmt::Display;
use std::str::FromStr;

use quote::ToTokens as _;
use syn::{Expr, GenericArgument, PathArguments, Type};
use wb_core::chain::nearest;

use super::{Field, type_text};

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It is not of the form.
    #[error("`{given}` is no `key=value`")]
    Form {
        /// What was given.
        given: String,
    },
    /// No field has that name.
    #[error("there is no field `{key}`{}", meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    Unknown {
        /// The name.
        key: String,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// A field has no value.
    #[error("`{field}` has no value: it takes {ty}")]
    Missing {
        /// The field.
        field: String,
        /// Its type.
        ty: String,
    },
    /// A field has several values.
    #[error("`{field}` is given twice")]
    Twice {
        /// The field.
        field: String,
    },
    /// A field has a value of another type.
    #[error("`{field}` takes {ty}, and `{given}` is none: {why}")]
    Type {
        /// The field.
        field: String,
        /// Its type.
        ty: String,
        /// The value.
        given: String,
        /// What is wrong with it.
        why: String,
    },
}

/// An expression for each field, in their order.
pub(super) fn fit(fields: &[Field], given: &[String]) -> Result<Vec<String>, Vec<Misfit>> {
    let mut misfits = Vec::new();
    let mut pairs = Vec::new();
    for given in given {
        match given.split_once('=') {
            None => misfits.push(Misfit::Form { given: given.clone() }),
            Some((key, _)) if fields.iter().all(|field| field.name != key) => {
                let meant = nearest(key, fields.iter().map(|field| field.name.as_str())).map(str::to_owned);
                misfits.push(Misfit::Unknown { key: key.to_owned(), meant });
            }
            Some(pair) => pairs.push(pair),
        }
    }
    let of =
        |field: &Field| pairs.iter().filter(|(key, _)| *key == field.name).map(|(_, value)| *value).collect::<Vec<_>>();
    let fitted: Vec<Result<String, Misfit>> = fields.iter().map(|field| field_value(field, &of(field))).collect();
    misfits.extend(fitted.iter().filter_map(|value| value.clone().err()));
    if misfits.is_empty() { Ok(fitted.into_iter().flatten().collect()) } else { Err(misfits) }
}

/// Whether a field may have no value.
pub(super) fn is_optional(ty: &Type) -> bool {
    inner(ty, "Option").is_some()
}

fn field_value(field: &Field, given: &[&str]) -> Result<String, Misfit> {
    let name = || field.name.clone();
    let wrong =
        |given: &str, why| Misfit::Type { field: name(), ty: type_text(&field.ty), given: given.to_owned(), why };
    if let Some(ty) = inner(&field.ty, "Vec") {
        let items: Vec<&str> = match given {
            [] => return Err(Misfit::Missing { field: name(), ty: type_text(&field.ty) }),
            [one] => one.split(',').map(str::trim).filter(|item| !item.is_empty()).collect(),
            several => several.to_vec(),
        };
        let items: Result<Vec<String>, Misfit> =
            items.into_iter().map(|item| expression(ty, item).map_err(|why| wrong(item, why))).collect();
        return Ok(format!("vec![{}]", items?.join(", ")));
    }
    match (given, inner(&field.ty, "Option")) {
        ([], Some(_)) => Ok("None".to_owned()),
        ([], None) => Err(Misfit::Missing { field: name(), ty: type_text(&field.ty) }),
        ([one], Some(ty)) => Ok(format!("Some({})", expression(ty, one).map_err(|why| wrong(one, why))?)),
        ([one], None) => expression(&field.ty, one).map_err(|why| wrong(one, why)),
        _ => Err(Misfit::Twice { field: name() }),
    }
}

/// `T` of `Option<T>`.
fn inner<'a>(ty: &'a Type, of: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == of)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

/// A value of a type that is known here is checked here. Of any other type, it is Rust, and the compiler checks it.
fn expression(ty: &Type, value: &str) -> Result<String, String> {
    match name(ty).as_str() {
        "&str" => Ok(format!("{value:?}")),
        "String" | "PathBuf" => Ok(format!("{value:?}.into()")),
        "bool" => checked::<bool>(value),
        "char" => value.parse::<char>().map(|c| format!("{c:?}")).map_err(|error| error.to_string()),
        "u8" => checked::<u8>(value),
        "u16" => checked::<u16>(value),
        "u32" => checked::<u32>(value),
        "u64" => checked::<u64>(value),
        "u128" => checked::<u128>(value),
        "usize" => checked::<usize>(value),
        "i8" => checked::<i8>(value),
        "i16" => checked::<i16>(value),
        "i32" => checked::<i32>(value),
        "i64" => checked::<i64>(value),
        "i128" => checked::<i128>(value),
        "isize" => checked::<isize>(value),
        "f32" | "f64" => float(value),
        "Duration" => duration(value),
        "IpAddr" => address::<std::net::IpAddr>(value),
        "Ipv4Addr" => address::<std::net::Ipv4Addr>(value),
        "Ipv6Addr" => address::<std::net::Ipv6Addr>(value),
        "SocketAddr" => address::<std::net::SocketAddr>(value),
        _ => rust(value).map_err(|error| format!("as Rust, {error}")),
    }
}

/// An expression without its comments, which could hide what comes after it.
fn rust(value: &str) -> syn::Result<String> {
    let expression = syn::parse_str::<Expr>(value)?.into_token_stream();
    Ok(match value.contains("//") || value.contains("/*") || value.contains(['\n', '\r']) {
        true => expression.to_string(),
        false => value.trim().to_owned(),
    })
}

/// The last word of a type, which is what it is called where it is used.
fn name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        Type::Reference(reference) => format!("&{}", name(&reference.elem)),
        _ => String::new(),
    }
}

fn checked<T: FromStr<Err: Display> + Display>(value: &str) -> Result<String, String> {
    value.replace('_', "").parse::<T>().map(|value| value.to_string()).map_err(|error| error.to_string())
}

fn address<T: FromStr<Err: Display> + Display>(value: &str) -> Result<String, String> {
    checked::<T>(value).map(|address| format!("\"{address}\".parse()?"))
}

fn float(value: &str) -> Result<String, String> {
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(format!("{number:?}")),
        Ok(_) => Err("it has no end".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn duration(value: &str) -> Result<String, String> {
    let duration = humantime::parse_duration(value).map_err(|error| format!("{error}; write `90s` or `2h 30m`"))?;
    Ok(match duration.subsec_nanos() {
        0 => format!("std::time::Duration::from_secs({})", duration.as_secs()),
        nanos => format!("std::time::Duration::new({}, {nanos})", duration.as_secs()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(ty: &str, value: &str) -> String {
        expression(&syn::parse_str(ty).unwrap(), value).unwrap_or_else(|why| format!("no: {why}"))
    }

    #[test]
    fn a_value_becomes_rust_of_its_type() {
        let check = |ty: &str, value: &str, expect: &str| assert_eq!(fitted(ty, value), expect, "{ty} {value}");
        check("String", "a \"b\"\\\n", r#""a \"b\"\\\n".into()"#);
        check("&'static str", "é", "\"é\"");
        check("std::path::PathBuf", "/etc", "\"/etc\".into()");
        check("bool", "true", "true");
        check("bool", "yes", "no: provided string was not `true` or `false`");
        check("u8", "300", "no: number too large to fit in target type");
        check("i64", "-1_000", "-1000");
        check("f64", "1", "1.0");
        check("f64", "inf", "no: it has no end");
        check("char", "é", "'é'");
        check("Duration", "2h 30m", "std::time::Duration::from_secs(9000)");
        check("Duration", "1500ms", "std::time::Duration::new(1, 500000000)");
        check("std::net::IpAddr", "10.0.0.1", "\"10.0.0.1\".parse()?");
        check("SocketAddr", "10.0.0.1", "no: invalid socket address syntax");
        check("Level", "super::Level::High(3)", "super::Level::High(3)");
        check("Level", "3 // why", "3");
        check("Level", "Level::High(/* of 5 */ 3)", "Level :: High (3)");
        check("Level", "\"http://a\"", "\"http://a\"");
        check("Level", "a; b", "no: as Rust, unexpected token");
    }

    #[test]
    fn many_values_are_one_list() {
        let field = |ty: &str| Field { name: "names".into(), ty: syn::parse_str(ty).unwrap() };
        let check = |ty: &str, given: &[&str], expect: &str| {
            let given: Vec<String> = given.iter().map(|value| format!("names={value}")).collect();
            assert_eq!(fit(&[field(ty)], &given).unwrap(), [expect]);
        };
        check("Vec<u8>", &["1, 2"], "vec![1, 2]");
        check("Vec<u8>", &[""], "vec![]");
        check("Vec<&str>", &["a,b", "d"], r#"vec!["a,b", "d"]"#);
        check("Option<u8>", &[], "None");
        check("Option<u8>", &["1"], "Some(1)");
    }
}
