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
        "034638983726",
        "119688915426",
        "193415116832",
        "262312530599",
        "525921808201",
        "608710470296",
        "669305197877",
        "681348832753",
        "765225791966",
        "829690693026",
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
        "013126148197",
        "090321488786",
        "111890595117",
        "313564881002",
        "365689465814",
        "660998842044",
        "665727464434",
        "729911121831",
        "915173422425",
        "945612479654",
    ]
)
SERVICE_ACCOUNTS = LOAD_BALANCING | CLOUDTRAIL | REDSHIFT
LOG_WRITING = frozenset(
    {"s3:putobject", "s3:putobjectacl", "s3:getbucketacl", "s3:getbucketlocation", "s3:listbucket"}
)
"""What they need, in lower case; whoever lets one of them read objects lets in somebody who writes no logs."""
