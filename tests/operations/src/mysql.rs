//! MariaDB 10.11.

use wb_stdlib::prelude::*;

use crate::Case;

/// A server that runs writes these by itself.
const RESTLESS: &[&str] = &["/var/lib/mysql", "/var/log/mysql", "/run/mysqld", "/var/run/mysqld"];

/// As the server keeps the password `secret`.
const OF_SECRET: &str = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";

const CASE: Case = Case { packages: &["mariadb-server"], restless: RESTLESS, ..Case::DEFAULT };

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "shop",
        prepare: "service mariadb status >/dev/null 2>&1 || service mariadb start
            mariadb -e \"DROP DATABASE IF EXISTS my_shop; DROP USER IF EXISTS 'shop'@'127.%', 'backup'@'localhost', 'old'@'%';
                DROP USER IF EXISTS 'clerk'@'127.%'; DROP DATABASE IF EXISTS old_shop; CREATE DATABASE old_shop;
                CREATE USER 'old'@'%' IDENTIFIED BY 'x'; CREATE USER 'backup'@'localhost' IDENTIFIED BY 'x';
                CREATE DATABASE my_shop CHARACTER SET latin1; GRANT DROP ON *.* TO 'backup'@'localhost';
                CREATE TABLE my_shop.orders (id int);\"",
        run: |host| {
            let mysql = host.mysql();
            it_is_looked_at(host)?;
            mysql.database("old_shop").absent()?;
            mysql.database("my_shop").charset("utf8mb4").collation("utf8mb4_unicode_ci").present()?;
            mysql.user("shop", "127.%").password("it's a \\ secret").present()?;
            mysql.user("backup", "localhost").socket_login().present()?;
            mysql.user("clerk", "127.%").authenticated_by("mysql_native_password", OF_SECRET).present()?;
            mysql.user("old", "%").absent()?;
            mysql.privileges(["SELECT", "insert"]).on_database("my_shop").granted_to("shop", "127.%")?;
            mysql.privileges(["SELECT", "LOCK TABLES", "REPLICATION CLIENT"]).granted_to("backup", "localhost")?;
            mysql.privileges(["DROP"]).revoked_from("backup", "localhost")?;
            mysql.privileges(["DELETE"]).on_table("my_shop", "orders").granted_to("backup", "localhost")?;
            Ok(())
        },
        check: "[ \"$(mariadb -Ne \"SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'my_shop'\")\" = utf8mb4_unicode_ci ]
            mariadb --protocol=tcp -h 127.0.0.1 -u shop -p\"it's a \\\\ secret\" my_shop -Ne 'SELECT 1' | grep -qx 1
            mariadb --protocol=tcp -h 127.0.0.1 -u clerk -psecret -Ne 'SELECT 1' | grep -qx 1
            [ -z \"$(mariadb -Ne \"SHOW DATABASES LIKE 'old_shop'\")\" ]
            mariadb -rNe \"SHOW GRANTS FOR 'backup'@'localhost'\" | grep -qF 'GRANT DELETE ON `my_shop`.`orders` TO'
            [ \"$(mariadb -Ne \"SELECT plugin FROM mysql.user WHERE User = 'backup'\")\" = unix_socket ]
            [ \"$(mariadb -Ne \"SELECT count(*) FROM mysql.user WHERE User = 'old'\")\" = 0 ]
            mariadb -rNe \"SHOW GRANTS FOR 'shop'@'127.%'\" | grep -qF 'GRANT SELECT, INSERT ON `my\\_shop`.* TO'
            mariadb -rNe \"SHOW GRANTS FOR 'backup'@'localhost'\" | grep -q 'GRANT SELECT, LOCK TABLES, BINLOG MONITOR ON'",
        ..CASE
    },
    Case {
        name: "settings",
        prepare: "service mariadb status >/dev/null 2>&1 || service mariadb start
            rm -f /etc/mysql/mariadb.conf.d/zz-*; mariadb -e 'SET GLOBAL max_connections = 151'
            printf '[mysqld]\\nslow_query_log = 1\\n' >/etc/mysql/mariadb.conf.d/zz-slow_query_log.cnf",
        run: |host| {
            let (mysql, service) = (host.mysql(), host.service("mariadb"));
            mysql.setting("max_connections").to("77").set()?;
            mysql.setting("max_allowed_packet").to("32M").set()?;
            mysql.setting("slow_query_log").unset()?;
            mysql.setting("table_open_cache_instances").to("4").restarts(&service).set()?;
            Ok(())
        },
        check: "[ \"$(mariadb -Ne 'SELECT @@GLOBAL.max_connections, @@GLOBAL.max_allowed_packet')\" = \"$(printf '77\\t33554432')\" ]
            [ \"$(mariadb -Ne 'SELECT @@GLOBAL.table_open_cache_instances')\" = 4 ]
            grep -qx 'max_connections = 77' /etc/mysql/mariadb.conf.d/zz-max_connections.cnf
            [ ! -e /etc/mysql/mariadb.conf.d/zz-slow_query_log.cnf ]",
        ..CASE
    },
];

/// What specs ask of what stays as it is.
fn it_is_looked_at(host: &Host) -> Result<()> {
    let mysql = host.mysql();
    mysql.answers()?;
    ensure!(host.mysql().socket("/run/none").answers().is_err(), "nobody listens there");
    mysql.database("mysql").exists()?;
    ensure!(mysql.database("none").exists().is_err(), "there is no such database");
    mysql.user("root", "localhost").exists()?;
    ensure!(mysql.user("root", "192.0.2.1").exists().is_err(), "there is no such user");
    mysql.setting("character_set_server").is("utf8mb4")?;
    ensure!(mysql.setting("character_set_server").is("latin1").is_err(), "it is another one");
    mysql.database("mysql").query("SELECT DATABASE()").gives("mysql")?;
    ensure!(mysql.query("SELECT 1 + 1").gives("3").is_err(), "that is 2");
    ensure!(mysql.query("SELECT 'a', 'b c'").rows()? == [["a", "b c"]], "they are not a row of two");
    Ok(())
}
