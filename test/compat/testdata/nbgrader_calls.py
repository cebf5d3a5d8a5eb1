# nbgrader at work: its command line adds students to a course's gradebook and takes one out, with the token of the course's service, and its
# plugin tells in between which courses a student's own server may see, with that server's. Prints a list for each look.
import json
import os

from nbgrader.apps.dbapp import DbStudentAddApp, DbStudentRemoveApp
from nbgrader.auth import JupyterHubAuthPlugin

course = ["--CourseDirectory.course_id=course101", "--CourseDirectory.db_url=sqlite:///gradebook.db",
          "--Authenticator.plugin_class=nbgrader.auth.JupyterHubAuthPlugin"]


def asks(user, token):
    os.environ |= {"JUPYTERHUB_USER": user, "JUPYTERHUB_API_TOKEN": os.environ[token]}


def grader(app, student):
    asks("formgrader", "SERVICE_TOKEN")
    app = app()
    app.initialize([student, *course])
    app.start()


def courses():
    asks("alice", "ALICES_TOKEN")
    return JupyterHubAuthPlugin().get_student_courses("*")


seen = [courses()]
grader(DbStudentAddApp, "bob")  # makes the group
grader(DbStudentAddApp, "alice")  # finds it
seen.append(courses())
grader(DbStudentRemoveApp, "alice")
seen.append(courses())
print(json.dumps(seen))
