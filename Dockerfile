# check=skip=InvalidDefaultArgInFrom
# The application, on the digest of the base image that Dockerfile.base made.
# Nothing that differs from commit to commit is an input: ref and revision reach the pods by their environment.
# Without a default on purpose (hence the line at the top): the program gives it.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}

WORKDIR /srv
COPY app/ app/

# By number: Kubernetes can tell that it is not root only when it need not look into the image.
USER 10001
EXPOSE 8080
# The web service; the chart names the other commands: app.worker, app.migrate, app.clean.
CMD ["gunicorn", "--config", "python:app.gunicorn_conf", "app.web:create_app()"]
