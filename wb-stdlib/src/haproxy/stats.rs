//! What `show stat` says.

/// A server of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) backend: String,
    pub(super) name: String,
    /// `UP`, `DOWN`, `DRAIN`, `MAINT`, `no check`, or `UP 1/3` on the way down.
    pub(super) status: String,
    /// Those that it serves, and those that wait for it.
    pub(super) sessions: u64,
}

impl Server {
    /// As the runtime API names it.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.backend, self.name)
    }

    pub(super) fn is_up(&self) -> bool {
        self.status.starts_with("UP") || self.status == "no check"
    }

    pub(super) fn is_draining(&self) -> bool {
        self.status.starts_with("DRAIN")
    }
}

/// Reads the CSV of `show stat`: a line `# pxname,svname,…`, and one for each frontend, backend and server. Nothing
/// when it is something else.
pub(super) fn parse(text: &str) -> Option<Vec<Server>> {
    let mut lines = text.lines();
    let header = fields(lines.next()?.strip_prefix("# ")?);
    let column = |name: &str| header.iter().position(|field| field == name);
    let (backend, name, status) = (column("pxname")?, column("svname")?, column("status")?);
    let (queued, current) = (column("qcur")?, column("scur")?);
    let server = |line: &str| {
        let fields = fields(line);
        let number = |column: usize| fields.get(column).and_then(|field| field.parse().ok()).unwrap_or(0u64);
        Some(Server {
            backend: fields.get(backend)?.clone(),
            name: fields.get(name)?.clone(),
            status: fields.get(status)?.clone(),
            sessions: number(queued) + number(current),
        })
    };
    Some(lines.filter_map(server).filter(|server| !["FRONTEND", "BACKEND"].contains(&server.name.as_str())).collect())
}

/// The fields of a line. One with a comma in it stands in double quotes, which are doubled within.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                push(&mut fields, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => push(&mut fields, c),
        }
    }
    fields
}

fn push(fields: &mut [String], c: char) {
    if let Some(last) = fields.last_mut() {
        last.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_by_the_names_of_the_columns() {
        let text = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,status,weight\n\
                    shop,FRONTEND,,,2,3,100,7,OPEN,\n\
                    web,web1,1,0,2,3,,7,UP,1\n\
                    web,web2,0,0,0,1,,4,\"DRAIN, \"\"slow\"\"\",1\n\
                    web,BACKEND,0,0,2,3,100,7,UP,2\n\n";
        let servers = parse(text).unwrap();
        assert_eq!(servers.len(), 2);
        assert_eq!((servers[0].id(), servers[0].sessions, servers[0].is_up()), ("web/web1".into(), 3, true));
        assert_eq!((servers[1].status.as_str(), servers[1].is_draining()), ("DRAIN, \"slow\"", true));
    }

    #[test]
    fn columns_may_stand_elsewhere() {
        let servers = parse("# status,scur,qcur,svname,pxname,\nno check,4,,web1,web,\n").unwrap();
        assert_eq!((servers[0].id(), servers[0].sessions, servers[0].is_up()), ("web/web1".into(), 4, true));
    }

    #[test]
    fn something_else_is_nothing() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("HTTP/1.0 400 Bad request"), None);
        assert_eq!(parse("# pxname,svname\n"), None);
    }
}
