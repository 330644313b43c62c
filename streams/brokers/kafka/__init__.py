"""Apache Kafka as plain Java: the artifacts named in `pom.xml`, one combined broker and controller."""
