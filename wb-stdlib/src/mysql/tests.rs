use wb_core::context::{DebtAction, Debts as _};

use super::*;
use crate::machine::{Machine, changed};

const EMPTY: &str = "#version\t10.11.6-MariaDB-0+deb12u1\nmax_connections\t151\n";
const SHOP: &str = "#version\t10.11.6-MariaDB-0+deb12u1\n\
    #user\t73686F70\t31302E25\t6D7973716C5F6E61746976655F70617373776F7264\t\
    2A31344536353536374142444235313335443043464439413730423330333243313739413439454537\n\
    #database\t73686F70\tutf8mb4\tutf8mb4_general_ci\nmax_connections\t151\n";
const GRANTS: &str = "GRANT USAGE ON *.* TO `shop`@`10.%` IDENTIFIED BY PASSWORD '*14E6'\nGRANT SELECT ON `shop`.* TO \
                      `shop`@`10.%`\n";

fn saying(turns: &[(i32, &str)]) -> Machine {
    Machine::new().dir("/etc/mysql/mariadb.conf.d").answers("mysql", turns)
}

fn make_the_shop(host: &Host) -> Result<()> {
    let mysql = host.mysql();
    mysql.database("shop").charset("utf8mb4").present()?;
    mysql.user("shop", "10.%").password("secret").present()?;
    mysql.privileges(["SELECT"]).on_database("shop").granted_to("shop", "10.%")?;
    Ok(())
}

#[test]
fn all_that_is_as_wanted_is_seen_in_two_looks() {
    let machine = saying(&[(0, SHOP), (0, GRANTS)]);
    machine.apply(make_the_shop).unwrap();
    let said = "= MySQL database shop present\n= MySQL user 'shop'@'10.%' present\n= MySQL privileges SELECT on the database \
                shop granted to 'shop'@'10.%'";
    assert_eq!(machine.said(), said);
    let look = "mysql --batch --skip-column-names --connect-timeout=10 --default-character-set=utf8mb4 --raw";
    assert_eq!(machine.calls(), [look, look]);
}

#[test]
fn a_shop_on_mysql_8_is_seen_in_two_looks() {
    let kept = hash::caching("secret", &[7; 20]);
    let user = ["shop", "10.%", "caching_sha2_password", kept.as_str()].map(|column| hash::hex(column.as_bytes()));
    let database = "#database\t73686F70\tutf8mb4\tutf8mb4_0900_ai_ci\nmax_connections\t151\n";
    let facts = format!("#version\t8.0.36-0ubuntu0.22.04.1\n#user\t{}\n{database}", user.join("\t"));
    let grants = "GRANT USAGE ON *.* TO `shop`@`10.%`\nGRANT SELECT ON `shop`.* TO `shop`@`10.%`\n\
                  GRANT `readers`@`%` TO `shop`@`10.%`\n";
    let machine = saying(&[(0, &facts), (0, grants)]);
    machine.apply(make_the_shop).unwrap();
    assert!(machine.said().lines().all(|line| line.starts_with("= ")), "{}", machine.said());
    assert_eq!(machine.calls().len(), 2);
}

#[test]
fn what_is_missing_is_made_and_looked_for_again() {
    let with_database = format!("{EMPTY}#database\t73686F70\tutf8mb4\tutf8mb4_general_ci\n");
    let turns =
        [(0, EMPTY), (0, ""), (0, &with_database), (0, ""), (0, SHOP), (0, ""), (0, ""), (0, SHOP), (0, GRANTS)];
    let machine = saying(&turns);
    machine.apply(make_the_shop).unwrap();
    let said = "+ MySQL database shop present\n    new database\n    charset utf8mb4\n+ MySQL user 'shop'@'10.%' present\n    \
                new user, by mysql_native_password\n+ MySQL privileges SELECT on the database shop granted to \
                'shop'@'10.%'\n    + SELECT";
    assert_eq!(machine.said(), said);
    assert_eq!(machine.calls().len(), turns.len());
}

#[test]
fn a_plan_only_looks_and_knows_who_comes() {
    let machine = saying(&[(0, EMPTY)]);
    machine.plan(make_the_shop).unwrap();
    assert!(machine.said().ends_with("granted to 'shop'@'10.%'\n    + SELECT"), "{}", machine.said());
    assert_eq!(machine.calls().len(), 1);
}

#[test]
fn a_plan_cannot_know_what_a_package_would_bring() {
    let plan = |machine: &Machine| {
        machine.plan(|host| Ok(host.mysql().database("shop").present()?)).unwrap();
        machine.said()
    };
    let said = plan(&Machine::new());
    assert_eq!(said, "? MySQL database shop present (cannot know: there is no client of MySQL yet)");
}

#[test]
fn mariadbs_own_client_is_taken_where_there_is_one() {
    let machine = Machine::new().file("/usr/bin/mariadb", "").answer("mariadb", 0, SHOP);
    let mysql = |host: &Host| {
        let mysql = host.mysql().socket("/run/other.sock").defaults_file("/root/admin.cnf");
        Ok(mysql.database("shop").present()?)
    };
    machine.apply(mysql).unwrap();
    assert!(machine.calls()[0].starts_with("mariadb --defaults-file=/root/admin.cnf --socket=/run/other.sock --batch"));
    assert_eq!(machine.said(), "= MySQL database shop present at /run/other.sock");
}

#[test]
fn a_password_stands_nowhere() {
    let machine = saying(&[(0, EMPTY), (0, ""), (0, EMPTY)]);
    let error = machine.apply(|host| Ok(host.mysql().user("a", "%").password("secret").present()?)).unwrap_err();
    let told = format!("{error:#} {} {}", machine.said(), machine.calls().join(" "));
    assert!(told.contains("it is not so") && !told.contains("secret") && !told.contains("14E6"), "{told}");
}

#[test]
fn who_is_not_there_gets_no_privileges() {
    let machine = saying(&[(0, EMPTY)]);
    let error = machine.apply(|host| Ok(host.mysql().privileges(["SELECT"]).granted_to("nobody", "%")?)).unwrap_err();
    let expect = "there is no MySQL user 'nobody'@'%'\nhint: `mysql.user(\"nobody\", \"%\").present()?` makes them";
    assert_eq!(error.to_string(), expect);
}

#[test]
fn a_setting_is_told_to_the_server_and_then_written() {
    let set = SHOP.replace("151", "200");
    let machine = saying(&[(0, SHOP), (0, ""), (0, &set)]);
    let act = |host: &Host| Ok(host.mysql().setting("max_connections").to("200").set()?);
    let diff = "151 -> 200\nfor each start: max_connections = 200 (new file)";
    assert_eq!(machine.apply(act).unwrap(), changed(diff));
    let file = "# Written by Wildebeest.\n[mysqld]\nmax_connections = 200\n";
    assert_eq!(machine.read("/etc/mysql/mariadb.conf.d/zz-max_connections.cnf").as_deref(), Some(file));
    assert_eq!(machine.apply(act).unwrap(), Outcome::Unchanged);
    let unset = |host: &Host| Ok(host.mysql().setting("max_connections").unset()?);
    assert!(machine.apply(unset).unwrap().changed());
    assert_eq!(machine.apply(unset).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_value_that_is_refused_is_not_written() {
    let machine = saying(&[(0, SHOP), (1, "")]);
    let error = machine.apply(|host| Ok(host.mysql().setting("max_connections").to("x").set()?)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(MysqlError::Refused { .. })), "{error}");
    assert_eq!(machine.read("/etc/mysql/mariadb.conf.d/zz-max_connections.cnf"), None);
}

#[test]
fn a_value_that_the_server_takes_for_another_is_not_written() {
    let machine = saying(&[(0, SHOP), (0, ""), (0, &SHOP.replace("151", "10"))]);
    let error = machine.apply(|host| Ok(host.mysql().setting("max_connections").to("1").set()?)).unwrap_err();
    let expect = "MySQL setting max_connections set: MySQL was told, and ended well, but it is not so:\n10 -> 1\n";
    assert!(error.to_string().starts_with(expect), "{error}");
    assert_eq!(machine.read("/etc/mysql/mariadb.conf.d/zz-max_connections.cnf"), None);
}

#[test]
fn a_setting_of_the_start_owes_a_restart() {
    let machine = saying(&[(0, SHOP)]);
    let act = |host: &Host| {
        let service = host.service("mariadb");
        Ok(host.mysql().setting("max_connections").to("200").restarts(&service).set()?)
    };
    assert!(machine.apply(act).unwrap().changed());
    let owed: Vec<DebtAction> = machine.journal.owed().iter().map(|debt| debt.action).collect();
    assert_eq!(owed, [DebtAction::Restart]);
    assert_eq!(machine.apply(act).unwrap(), Outcome::Unchanged);
}

#[test]
fn names_that_are_none_reach_no_server() {
    let machine = Machine::new();
    let check = |act: fn(&Mysql<Host<'_>>) -> Result<Outcome, MysqlError>| {
        let error = machine.apply(|host| Ok(act(&host.mysql())?)).unwrap_err();
        let bad = matches!(
            error.downcast_ref(),
            Some(MysqlError::BadName { .. } | MysqlError::BadHash { .. } | MysqlError::BadValue { .. })
        );
        assert!(bad, "{error}");
    };
    check(|mysql| mysql.user("", "%").socket_login().present());
    check(|mysql| mysql.user("a", "").absent());
    check(|mysql| mysql.user("a", "%").password("").present());
    check(|mysql| mysql.user("a", "%").password_hash("secret").present());
    check(|mysql| mysql.user("a", "%").authenticated_by("x y", "z").present());
    check(|mysql| mysql.database("x".repeat(65)).present());
    check(|mysql| mysql.database("x").charset("utf8; DROP").present());
    check(|mysql| mysql.privileges(["SELECT; DROP"]).granted_to("a", "%"));
    check(|mysql| mysql.setting("a/b").to("c").set());
    check(|mysql| mysql.setting("a").to("c\n[client]").set());
    check(|mysql| mysql.setting("a").set());
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn specs_say_what_they_found() {
    let machine = saying(&[(0, SHOP)]);
    machine.view(|host| host.mysql().database("shop").exists()).unwrap();
    machine.view(|host| host.mysql().user("shop", "10.%").exists()).unwrap();
    machine.view(|host| host.mysql().setting("max_connections").is("151")).unwrap();
    let error = machine.view(|host| host.mysql().user("other", "%").exists()).unwrap_err();
    assert_eq!(error.to_string(), "expected the MySQL user 'other'@'%', found none");
    let machine = saying(&[(0, "2\n")]);
    machine.view(|host| host.mysql().query("SELECT 1 + 1").gives("2")).unwrap();
    let error = machine.view(|host| host.mysql().query("SELECT 1 + 1").gives("3")).unwrap_err();
    assert_eq!(error.to_string(), "expected `SELECT 1 + 1` to give 3, it gave 2");
}
