"""Accounts of AWS itself that stand in policies so that a service may write logs into a bucket.

Sources: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html,
https://docs.aws.amazon.com/redshift/latest/mgmt/db-auditing.html and, for older trails,
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
"""

from __future__ import annotations

LOAD_BALANCING = frozenset(
    [
        "127311923021",
        "033677994240",
        "027434742980",
        "797873946194",
        "098369216593",
        "985666609251",
        "054676820928",
        "156460612806",
        "652711504416",
        "635631232127",
        "009996457667",
        "897822967062",
        "754344448648",
        "582318560864",
        "600734575887",
        "383597477331",
        "114774131450",
        "783225319266",
        "589379963580",
        "718504428378",
        "076674570225",
        "507241528517",
        "048591011584",
        "190560391635",
        "638102146993",
        "037604701340",
    ]
)
CLOUDTRAIL = frozenset(
    [
        "086441151436",
        "475085895292",
        "388731089494",
        "113285607260",
        "977081816279",
        "492519147666",
        "903692715234",
        "284668455005",
        "216624486486",
        "035351147821",
        "859597730677",
        "282025262664",
        "814480443879",
        "819402241893",
    ]
)
REDSHIFT = frozenset(
    [
        "193672423079",
        "391106570357",
        "262260360010",
        "902366379725",
        "865932855811",
        "760740231472",
        "361669875840",
        "762762565011",
        "404641285394",
        "907379612154",
        "053454850223",
        "210876761215",
        "307160386991",
        "075028567923",
    ]
)
SERVICE_ACCOUNTS = LOAD_BALANCING | CLOUDTRAIL | REDSHIFT
