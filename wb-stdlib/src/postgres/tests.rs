use wb_core::context::{DebtAction, Debts as _};

use super::*;
use crate::machine::{Machine, changed};

const PASSWD: &str = "postgres:x:104:111::/var/lib/postgresql:/bin/bash\n";
const EMPTY: &str = r#"{"version" : 150013, "roles" : [], "databases" : [{"name" : "postgres"}], "settings" : []}"#;
const SHOP: &str = r#"{"version" : 150013, "roles" : [{"name" : "shop", "login" : true, "inherit" : true,
    "connection_limit" : -1}], "databases" : [{"name" : "postgres"}, {"name" : "shop", "owner" : "shop",
    "encoding" : "UTF8", "connection_limit" : -1}], "settings" : [{"name" : "max_connections",
    "context" : "postmaster"}], "set" : []}"#;
const INSIDE: &str = r#"{"extensions" : [], "available" : [{"name" : "pg_trgm", "version" : "1.6"}]}"#;

fn machine() -> Machine {
    Machine::new().file("/etc/passwd", PASSWD)
}

/// Looks, each of which a `psql` answers in turn.
fn saying(turns: &[&str]) -> Machine {
    let turns: Vec<(i32, &str)> = turns.iter().map(|said| (0, *said)).collect();
    machine().answers("setpriv", &turns)
}

fn make_the_shop(host: &Host) -> Result<()> {
    let postgres = host.postgres();
    postgres.role("shop").login().present()?;
    postgres.database("shop").owner("shop").present()?;
    Ok(())
}

#[test]
fn all_that_is_as_wanted_is_seen_in_one_look() {
    let machine = saying(&[SHOP]);
    machine.apply(make_the_shop).unwrap();
    assert_eq!(machine.said(), "= PostgreSQL role shop present\n= PostgreSQL database shop present");
    let expect = "setpriv --reuid=104 --regid=111 --init-groups -- psql -X -A -t -q -v ON_ERROR_STOP=1";
    assert_eq!(machine.calls(), [expect]);
    assert_eq!(machine.variables("PGDATABASE"), ["postgres"]);
    let options = "-c search_path=pg_catalog -c lock_timeout=60s -c default_transaction_read_only=on";
    assert_eq!(machine.variables("PGOPTIONS"), [options]);
}

#[test]
fn what_is_missing_is_made_and_looked_for_again() {
    let with_role = SHOP.replace(r#", {"name" : "shop", "owner""#, r#", {"name" : "other", "owner""#);
    let machine = saying(&[EMPTY, "", &with_role, "", SHOP]);
    machine.apply(make_the_shop).unwrap();
    let said = "+ PostgreSQL role shop present\n    new role\n    + LOGIN\n+ PostgreSQL database shop present\n    new \
                database, owned by shop";
    assert_eq!(machine.said(), said);
}

#[test]
fn a_plan_only_looks_and_knows_what_comes() {
    let machine = saying(&[EMPTY]);
    machine.plan(make_the_shop).unwrap();
    assert!(machine.said().contains("+ PostgreSQL database shop present\n    new database, owned by shop"));
    assert!(machine.variables("PGOPTIONS").iter().all(|options| options.contains("default_transaction_read_only=on")));
}

#[test]
fn a_plan_knows_privileges_on_a_database_that_comes_and_nothing_of_what_is_in_it() {
    let machine = saying(&[EMPTY]);
    machine
        .plan(|host| {
            make_the_shop(host)?;
            let shop = host.postgres().database("shop");
            shop.privileges(["CONNECT"]).granted_to("shop")?;
            shop.privileges(["USAGE"]).on_schema("public").granted_to("shop")?;
            shop.extension("pg_trgm").present()?;
            Ok(())
        })
        .unwrap();
    let said = machine.said();
    let check = |line: &str| assert!(said.contains(line), "{said}");
    check("+ PostgreSQL privileges CONNECT on the database shop granted to shop\n    + CONNECT on shop");
    check(
        "? PostgreSQL privileges USAGE on the schema public of shop granted to shop (cannot know: there is no database `shop` yet)",
    );
    check("? PostgreSQL extension pg_trgm in shop present (cannot know: there is no database `shop` yet)");
}

#[test]
fn a_plan_cannot_know_what_a_package_would_bring() {
    let plan = |machine: &Machine| {
        machine.plan(make_the_shop).unwrap();
        machine.said().lines().next().unwrap().to_owned()
    };
    let no_user = Machine::new().answer("getent", 2, "");
    assert_eq!(plan(&no_user), "? PostgreSQL role shop present (cannot know: there is no user `postgres` yet)");
    let no_client = machine().answer("setpriv", 127, "");
    assert_eq!(plan(&no_client), "? PostgreSQL role shop present (cannot know: there is no `psql` yet)");
    let stopped = machine().answer("setpriv", 2, "");
    assert_eq!(plan(&stopped), "? PostgreSQL role shop present (cannot know: PostgreSQL does not answer yet)");
}

#[test]
fn a_server_that_starts_is_waited_for() {
    let machine = machine().answers("setpriv", &[(2, ""), (2, ""), (0, SHOP)]);
    machine.apply(make_the_shop).unwrap();
    assert_eq!(machine.calls().len(), 3);
}

#[test]
fn who_does_not_answer_is_named() {
    let machine = machine().answer("setpriv", 2, "");
    let error = machine.apply(|host| Ok(host.postgres().port(5433).role("shop").present()?)).unwrap_err().to_string();
    assert!(error.starts_with("PostgreSQL at port 5433 does not answer: "), "{error}");
    assert!(error.contains("\nhint: "), "{error}");
}

#[test]
fn a_password_stands_nowhere() {
    let machine = saying(&[EMPTY, "", EMPTY]);
    let error = machine.apply(|host| Ok(host.postgres().role("shop").password("swordfish").present()?)).unwrap_err();
    let told = format!("{error:#} {} {}", machine.said(), machine.calls().join(" "));
    assert!(told.contains("it is not so") && !told.contains("swordfish") && !told.contains("SCRAM"), "{told}");
    assert!(machine.calls()[1].ends_with("-v VERBOSITY=terse"), "{told}");
}

#[test]
fn an_owner_that_is_not_there_is_an_error() {
    let machine = saying(&[EMPTY]);
    let error = machine.apply(|host| Ok(host.postgres().database("x").owner("nobody").present()?)).unwrap_err();
    assert!(error.to_string().starts_with("there is no PostgreSQL role `nobody`\nhint: "), "{error}");
}

#[test]
fn an_extension_is_looked_for_in_its_database() {
    let with_it = r#"{"extensions" : [{"name" : "pg_trgm", "version" : "1.6", "schema" : "public"}]}"#;
    let machine = saying(&[SHOP, INSIDE, "", SHOP, with_it]);
    let outcome = machine.apply(|host| Ok(host.postgres().database("shop").extension("pg_trgm").present()?)).unwrap();
    assert_eq!(outcome, changed("new extension"));
    assert_eq!(machine.variables("PGDATABASE")[1], "shop");
}

#[test]
fn a_plan_knows_privileges_on_a_schema_that_comes() {
    let none = r#"{"schema" : false, "all" : ["CREATE", "USAGE"], "objects" : []}"#;
    let machine = saying(&[SHOP, INSIDE, none]);
    let act = |host: &Host| {
        let shop = host.postgres().database("shop");
        shop.schema("audit").present()?;
        Ok(shop.privileges(["ALL"]).on_schema("audit").granted_to("shop")?)
    };
    assert_eq!(machine.plan(act).unwrap(), changed("+ CREATE, USAGE on audit"));
}

#[test]
fn a_standby_changes_nothing() {
    let standby = EMPTY.replace(r#""roles""#, r#""standby" : true, "roles""#);
    let machine = saying(&[&standby]);
    let error = machine.apply(|host| Ok(host.postgres().role("shop").present()?)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(PostgresError::Standby { .. })), "{error}");
    assert_eq!(machine.apply(|host| Ok(host.postgres().role("shop").absent()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_setting_of_the_start_owes_a_restart() {
    let set = SHOP.replace(r#""set" : []"#, r#""set" : [{"name" : "max_connections", "value" : "200"}]"#);
    let machine = saying(&[SHOP, "t\n", &set]);
    let set = |host: &Host| {
        let service = host.service("postgresql");
        Ok(host.postgres().setting("max_connections").to("200").restarts(&service).set()?)
    };
    assert_eq!(machine.apply(set).unwrap(), changed("unset -> 200, in effect with a restart"));
    let owed: Vec<DebtAction> = machine.journal.owed().iter().map(|debt| debt.action).collect();
    assert_eq!(owed, [DebtAction::Restart]);
    assert_eq!(machine.apply(set).unwrap(), Outcome::Unchanged);
}

#[test]
fn what_the_server_misread_is_written_back() {
    let with = |value: &str| {
        SHOP.replace(r#""set" : []"#, &format!(r#""set" : [{{"name" : "max_connections", "value" : "{value}"}}]"#))
    };
    let machine = saying(&[&with("100"), "t\n", &with("2 00"), "t\n"]);
    let set = |host: &Host| Ok(host.postgres().setting("max_connections").to("200").set()?);
    let error = machine.apply(set).unwrap_err().to_string();
    assert!(error.ends_with("\nwhat it had before is written again"), "{error}");
    let last = machine.inputs().pop().unwrap();
    assert_eq!(last, "ALTER SYSTEM SET \"max_connections\" = '100';\nSELECT pg_reload_conf();\n");
}

#[test]
fn a_server_that_reads_its_files_is_waited_for() {
    let set =
        SHOP.replace(r#""set" : []"#, r#""set" : [{"name" : "max_connections", "value" : "200"}], "unread" : true"#);
    let machine = saying(&[SHOP, "t\n", &set, &set, &set.replace("true}", "false}")]);
    let act = |host: &Host| {
        let postgres = host.postgres();
        postgres.setting("max_connections").to("200").set()?;
        Ok(postgres.setting("max_connections").to("200").set()?)
    };
    assert_eq!(machine.apply(act).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls().len(), 5);
}

#[test]
fn names_that_are_none_reach_no_server() {
    let machine = machine();
    let check = |act: fn(&Postgres<Host<'_>>) -> Result<Outcome, PostgresError>| {
        let error = machine.apply(|host| Ok(act(&host.postgres())?)).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(PostgresError::BadName { .. })), "{error}");
    };
    check(|postgres| postgres.role("").present());
    check(|postgres| postgres.role("a\nb").absent());
    check(|postgres| postgres.database("x".repeat(64)).present());
    check(|postgres| postgres.database("x").extension("").present());
    check(|postgres| postgres.database("x").privileges(["SELECT; DROP"]).granted_to("y"));
    check(|postgres| postgres.setting("a b").to("c").set());
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn specs_say_what_they_found() {
    let machine = saying(&[SHOP]);
    machine.view(|host| host.postgres().role("shop").exists()).unwrap();
    machine.view(|host| host.postgres().role("shop").has(Attribute::Login)).unwrap();
    machine.view(|host| host.postgres().database("shop").exists()).unwrap();
    let error = machine.view(|host| host.postgres().database("other").exists()).unwrap_err();
    assert_eq!(error.to_string(), "expected the PostgreSQL database `other`, found none");
    let machine = saying(&["16MB\0"]);
    machine.view(|host| host.postgres().setting("work_mem").is("16MB")).unwrap();
    let error = machine.view(|host| host.postgres().query("SELECT x").gives("1")).unwrap_err();
    assert_eq!(error.to_string(), "expected `SELECT x` to give 1, it gave 16MB");
}
