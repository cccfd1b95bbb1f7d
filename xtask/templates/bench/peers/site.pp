# A server of 155 things, as Puppet says them.
$wanted = loadjson('/srv/peers/puppet/wanted.json')

package { $wanted['packages']:
  ensure => installed,
}

file { '/srv/wb-bench':
  ensure => directory,
}

$wanted['people'].each |$person| {
  group { $person['group']:
    ensure => present,
    gid    => $person['gid'],
  }

  user { $person['user']:
    ensure     => present,
    uid        => $person['uid'],
    gid        => $person['group'],
    shell      => '/bin/sh',
    managehome => false,
  }

  file { $person['directory']:
    ensure => directory,
    owner  => $person['user'],
    mode   => '0750',
  }

  file { $person['plain']:
    ensure  => file,
    content => $person['text'],
    owner   => $person['user'],
    mode    => '0644',
  }

  file { $person['site']:
    ensure  => file,
    content => epp('/srv/peers/puppet/site.conf.epp', { 'site' => $person['user'], 'port' => $person['port'] }),
    owner   => $person['user'],
    mode    => '0640',
  }
}

file { [$wanted['lines_file'], $wanted['sysctl_file']]:
  ensure => file,
  mode   => '0644',
}

$wanted['lines'].each |$line| {
  file_line { $line:
    path => $wanted['lines_file'],
    line => $line,
  }
}

service { $wanted['services']:
  ensure    => running,
  enable    => true,
  provider  => 'debian',
  hasstatus => true,
}

$wanted['jobs'].each |$job| {
  cron { $job['name']:
    command => $job['command'],
    user    => 'root',
    minute  => $job['minute'],
    hour    => $job['hour'],
  }
}

$wanted['sysctl'].each |$setting| {
  $key = $setting['key']
  $value = $setting['value']

  file_line { $key:
    path => $wanted['sysctl_file'],
    line => "${key} = ${value}",
  }

  exec { "sysctl ${key}":
    command  => "sysctl -q -w '${key}=${value}'",
    unless   => "sysctl -n ${key} | tr '\\t' ' ' | grep -qx '${value}'",
    path     => '/usr/sbin:/usr/bin:/sbin:/bin',
    provider => shell,
  }
}
